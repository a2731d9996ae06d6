// SPDX-License-Identifier: Apache-2.0

/// Seconds that passes of the two models take, learnt from the passes themselves (``PassTimes``).
///
/// Where weights are streamed, a pass is mostly waiting for them, and computing goes on meanwhile. There what is learnt is the
/// computing alone, which storage that is now faster and now slower says nothing of; a row then costs what of its
/// computing is not hidden by the waiting.
///
/// Thread safety: a value.
package struct PassCosts: Sendable {
    private var primary: PassTimes
    private var secondary = PassTimes(.drafts)
    private var waiting = Waiting()
    /// What one more row takes where passes are shared with others, whose rows are not known beforehand.
    private var sharedMarginal: Double?
    /// Costs that stay as they are, over a primary pass over one row.
    private let fixed: (draft: Double, row: Double)?
    /// A draft over a pass before either was measured.
    private let expectedDraft: Double

    /// A row over a pass over one, where costs are fixed and nothing else is said.
    package static let usualRow = 0.06
    /// One more row of a step of the secondary over the step, before it was measured.
    private static let expectedDraftMarginal = 0.12

    /// Costs to be measured.
    /// - Parameters:
    ///   - primaryBytes: of the weights that a pass reads.
    ///   - secondaryBytes: of those that a draft reads; 0 = not known.
    ///   - instructionSet: of the kernels in use; "" = not known.
    package init(primaryBytes: Int = .max, secondaryBytes: Int = 0, instructionSet: String = "") {
        primary = PassTimes(.usual(instructionSet: instructionSet, bytes: primaryBytes))
        expectedDraft = secondaryBytes > 0 ? Double(secondaryBytes) / Double(max(1, primaryBytes)) : 1.0 / 6
        fixed = nil
    }

    /// Costs that stay as they are, in units of a primary pass over one row: decisions that rest on them do not depend
    /// on the clock.
    package init(draftOverPass: Double, rowOverPass: Double = usualRow) {
        primary = PassTimes(.fast)
        expectedDraft = draftOverPass
        fixed = (draft: draftOverPass, row: rowOverPass)
    }

    /// Whether the clock decides.
    package var isClocked: Bool { fixed == nil }

    /// Whether a primary pass has been timed (or need not be).
    package var isKnown: Bool { fixed != nil || primary.isKnown }

    // In seconds; before the first pass (see ``isKnown``) what is usual, with a pass over one row as the unit.

    /// One more row of primary passes of usual lengths.
    package var marginal: Double { fixed?.row ?? primary.marginal * (1 - hiddenShare) }

    /// What one more row adds to a primary pass over `rows` ≥ 1 rows.
    package func row(after rows: Int) -> Double {
        if let row = fixed?.row ?? sharedMarginal { return row }
        return (primary.seconds(rows: rows + 1) - primary.seconds(rows: rows)) * (1 - hiddenShare)
    }

    /// A primary pass over one row.
    package var base: Double {
        guard fixed == nil else { return 1 }
        guard waiting.mean > 0 else { return primary.base }
        // What rows hide was waited for on top of the mean.
        return primary.base + waiting.mean + hiddenShare * primary.marginal * primary.meanRows
    }

    /// A primary pass over `rows` ≥ 1 rows.
    package func pass(rows: Int) -> Double {
        if let row = fixed?.row ?? sharedMarginal { return base + row * Double(rows - 1) }
        return base + (primary.seconds(rows: rows) - primary.base) * (1 - hiddenShare)
    }

    /// One draft of the secondary: at first as much of a pass's computing as its weights are of the primary's, and the less
    /// of that the more were timed, since the first ones find nothing in the caches.
    package var draft: Double {
        if let fixed { return fixed.draft }
        let expected = primary.base * expectedDraft
        guard secondary.isKnown else { return expected }
        let timed = secondary.base
        return timed + (expected - timed) / (1 + Self.timedDrafts * secondary.weight * secondary.weight)
    }

    /// What a timed draft counts for against the expected one, with the square of their number.
    private static let timedDrafts = 4.0

    /// Share of a row's computing that goes on while weights are waited for anyway.
    private var hiddenShare: Double {
        guard waiting.mean > 0 else { return 0 }
        let seconds = primary.base + primary.marginal * primary.meanRows + waiting.mean
        return waiting.streamedShare * min(1, waiting.mean / (seconds * Self.amplePause))
    }

    /// Part of a pass that is waiting, from which on rows of usual numbers hide behind it.
    private static let amplePause = 0.25

    /// One more row of a step of the secondary.
    package var draftMarginal: Double {
        fixed == nil && secondary.isKnown ? secondary.marginal : draft * Self.expectedDraftMarginal
    }

    /// Adds a primary pass.
    package mutating func recordPass(_ pass: PassMeasure) {
        guard fixed == nil, pass.seconds >= 0, pass.rows > 0 else { return }
        let wait = max(0, min(pass.wait, pass.seconds))
        waiting.record(wait, streamedShare: pass.streamedShare)
        primary.record(rows: pass.rows, seconds: pass.seconds - wait, known: pass.marginal)
        sharedMarginal = pass.marginal == nil ? nil : primary.marginal
    }

    /// Adds one step of the secondary.
    package mutating func recordDraft(seconds: Double, rows: Int = 1) {
        guard fixed == nil, seconds >= 0, rows > 0 else { return }
        secondary.record(rows: rows, seconds: seconds)
    }
}

extension PassCosts {
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
}
