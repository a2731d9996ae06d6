// SPDX-License-Identifier: Apache-2.0

/// Seconds that passes of the two models take, learnt from the passes themselves.
///
/// A pass over r rows costs `base + marginal · (r − 1)`: a least-squares line through the recent passes, drawn towards a
/// small marginal cost while all passes had about as many rows. A pass that took far longer than expected (the machine was
/// busy with something else) counts only as three times the expected one; and as nothing makes a pass faster than it is, one
/// that took less than half of what a single row was believed to take shows that those before were disturbed: they are forgotten.
///
/// Where weights are streamed, a pass is mostly waiting for them, and computing goes on meanwhile. There the line is that of
/// the computing alone, which storage that is now faster and now slower says nothing of; a row then costs what of its
/// computing is not hidden by the waiting.
package struct PassCosts: Sendable {
    private var primary: Line
    private var secondary = Line(expectedMarginal: expectedDraftMarginal)
    private var waiting = Waiting()
    private let isFixed: Bool
    private let fixedDraft: Double
    private let fixedMarginal: Double
    /// A draft over a pass before either was measured.
    private let expectedDraft: Double

    /// Marginal over base cost of weights that come from memory, with kernels that compute a row while they are read.
    package static let expectedMarginal = ExpectedRow.fast.fromMemory
    /// Bytes of weights that stay in the caches of usual processors.
    private static let cachedBytes = 32 << 20
    /// Marginal over base cost of steps of the secondary.
    package static let expectedDraftMarginal = 0.12

    /// Costs to be measured.
    /// - Parameters:
    ///   - primaryBytes: of the weights that a pass reads.
    ///   - secondaryBytes: of those that a draft reads; 0 = not known.
    ///   - row: what a row is expected to cost.
    package init(primaryBytes: Int = .max, secondaryBytes: Int = 0, row: ExpectedRow = .fast) {
        primary = Line(
            expectedMarginal: primaryBytes <= Self.cachedBytes ? row.fromCaches : row.fromMemory)
        expectedDraft = secondaryBytes > 0 ? Double(secondaryBytes) / Double(max(1, primaryBytes)) : 1.0 / 6
        isFixed = false
        fixedDraft = 0
        fixedMarginal = 0
    }

    /// Costs that stay as they are, in units of a primary pass over one row: decisions that rest on them do not depend
    /// on the clock.
    package init(draftOverPass: Double, rowOverPass: Double = expectedMarginal) {
        primary = Line(expectedMarginal: rowOverPass)
        expectedDraft = draftOverPass
        isFixed = true
        fixedDraft = draftOverPass
        fixedMarginal = rowOverPass
    }

    /// Whether the clock decides.
    package var isClocked: Bool { !isFixed }

    /// Whether a primary pass has been timed (or need not be).
    package var isKnown: Bool { isFixed || primary.isKnown }

    // In seconds; before the first pass (see ``isKnown``) what is usual, with a pass over one row as the unit.

    /// One more row of a primary pass.
    package var marginal: Double {
        guard isKnown else { return primary.expectedMarginal }
        return isFixed ? fixedMarginal : primary.marginal * (1 - hiddenShare)
    }

    /// A primary pass over one row.
    package var base: Double {
        guard isKnown, !isFixed else { return 1 }
        // What rows hide was waited for on top of the mean.
        return primary.base + waiting.mean + primary.marginal * hiddenShare * primary.meanRows
    }

    /// One draft of the secondary. Before the first one: as much of a pass's computing as its weights are of the primary's.
    package var draft: Double {
        guard isKnown else { return expectedDraft }
        return isFixed ? fixedDraft : secondary.isKnown ? secondary.base : primary.base * expectedDraft
    }

    /// Share of a row's computing that goes on while weights are waited for anyway.
    private var hiddenShare: Double {
        let seconds = primary.mean + waiting.mean
        guard waiting.mean > 0, seconds > 0 else { return 0 }
        return waiting.streamedShare * min(1, waiting.mean / (seconds * Self.amplePause))
    }

    /// Part of a pass that is waiting, from which on rows of usual numbers hide behind it.
    private static let amplePause = 0.25

    /// One more row of a step of the secondary.
    package var draftMarginal: Double {
        isFixed || !isKnown || !secondary.isKnown ? draft * Self.expectedDraftMarginal : secondary.marginal
    }

    /// A primary pass over `rows` rows.
    package func pass(rows: Int) -> Double { base + marginal * Double(rows - 1) }

    /// A step of the secondary over `rows` rows.
    package func draft(rows: Int) -> Double { draft + draftMarginal * Double(rows - 1) }

    /// Adds a primary pass.
    package mutating func recordPass(_ pass: PassMeasure) {
        guard !isFixed, pass.seconds >= 0, pass.rows > 0 else { return }
        let wait = max(0, min(pass.wait, pass.seconds))
        waiting.record(wait, streamedShare: pass.streamedShare)
        primary.record(rows: pass.rows, seconds: pass.seconds - wait, marginal: pass.marginal)
    }

    /// Adds one step of the secondary.
    package mutating func recordDraft(seconds: Double, rows: Int = 1) {
        guard !isFixed, seconds >= 0, rows > 0 else { return }
        secondary.record(rows: rows, seconds: seconds, marginal: nil)
    }
}

extension PassCosts {
    /// Marginal over base cost of a pass before passes of several lengths have shown it. Measured with `tandem bench --verify` on
    /// Zen 5 (VNNI) and Zen 3 (AVX2, scalar); of NEON without dot products it is a guess.
    package struct ExpectedRow: Sendable, Equatable {
        /// Of weights that come from memory with every pass, so that reading them is most of it.
        let fromMemory: Double
        /// Of weights that stay in the processor's caches, where computing is most of a pass.
        let fromCaches: Double

        /// Kernels with an instruction for sums of four products.
        package static let fast = ExpectedRow(fromMemory: 0.06, fromCaches: 0.25)
        /// Kernels that multiply and add bytes in several steps.
        static let slow = ExpectedRow(fromMemory: 0.15, fromCaches: 0.5)
        /// Kernels that compute for longer than weights take to arrive.
        static let computing = ExpectedRow(fromMemory: 0.95, fromCaches: 0.95)

        /// Of the kernels of an instruction set.
        package static func expected(instructionSet name: String) -> ExpectedRow {
            switch name {
            case "scalar": computing
            case "avx2", "neon": slow
            default: fast
            }
        }
    }

    /// How long passes wait for weights.
    private struct Waiting: Sendable {
        private var weight = 0.0
        private var sum = 0.0
        private(set) var streamedShare = 0.0

        /// What an old pass keeps of its weight with every new one.
        private static let memory = 0.8

        var mean: Double { weight > 0 ? sum / weight : 0 }

        mutating func record(_ seconds: Double, streamedShare: Double) {
            self.streamedShare = max(0, min(streamedShare, 1))
            weight = weight * Self.memory + 1
            sum = sum * Self.memory + seconds
        }
    }

    /// What passes of one model take.
    private struct Line: Sendable {
        // Sums over passes, old ones fading: weights, x = rows − 1, x², seconds, x · seconds.
        private var weight = 0.0
        private var sumX = 0.0
        private var sumXX = 0.0
        private var sumY = 0.0
        private var sumXY = 0.0
        private var passes = 0
        /// What one more row has cost in passes of others too, where that is known.
        private var knownMarginal: Double?
        let expectedMarginal: Double

        /// What an old pass keeps of its weight with every new one.
        private static let memory = 0.95
        /// Weight of the expected marginal cost, in squared rows, after one pass; it falls with the square of their number.
        private static let expectedWeight = 16.0
        /// Weight of the first pass, which finds nothing in the caches.
        private static let firstWeight = 0.25
        /// What passes keep of their weight that were disturbed.
        private static let disturbedWeight = 0.02

        init(expectedMarginal: Double) {
            self.expectedMarginal = expectedMarginal
        }

        var isKnown: Bool { weight > 0 }
        /// Of recent passes: seconds, and rows after the first.
        var mean: Double { weight > 0 ? sumY / weight : 0 }
        var meanRows: Double { weight > 0 ? sumX / weight : 0 }

        var marginal: Double {
            guard weight > 0 else { return 0 }
            let meanX = sumX / weight
            let meanY = sumY / weight
            let variance = sumXX / weight - meanX * meanX
            let covariance = sumXY / weight - meanX * meanY
            // The expected slope is a share of the base, and base = meanY − slope · meanX.
            let expected = knownMarginal ?? expectedMarginal * meanY / (1 + expectedMarginal * meanX)
            let prior = Self.expectedWeight / (weight * weight)
            let slope = (covariance + prior * expected) / (variance + prior)
            return min(max(slope, 0), meanY / (1 + meanX))
        }

        var base: Double {
            guard weight > 0 else { return 0 }
            return max(sumY / weight - marginal * sumX / weight, 0)
        }

        mutating func record(rows: Int, seconds: Double, marginal known: Double?) {
            knownMarginal = known
            let x = Double(rows - 1)
            let seconds = passes >= 2 ? min(seconds, 3 * (base + marginal * x)) : seconds
            let own = passes == 0 ? Self.firstWeight : 1
            let keep = seconds < base / 2 ? Self.disturbedWeight : Self.memory
            passes += 1
            weight = weight * keep + own
            sumX = sumX * keep + own * x
            sumXX = sumXX * keep + own * x * x
            sumY = sumY * keep + own * seconds
            sumXY = sumXY * keep + own * x * seconds
        }
    }
}
