// SPDX-License-Identifier: Apache-2.0

/// Seconds that passes of the two models take, learnt from the passes themselves.
///
/// A primary pass over r rows costs `base + marginal · (r − 1)`: a least-squares line through the recent passes, drawn
/// towards a small marginal cost while all passes had about as many rows. One draft costs `draft`. A pass that took far
/// longer than expected (the machine was busy with something else) counts only as three times the expected one.
package struct PassCosts: Sendable {
    // Sums over passes, old ones fading: weights, x = rows − 1, x², seconds, x · seconds.
    private var weight = 0.0
    private var sumX = 0.0
    private var sumXX = 0.0
    private var sumY = 0.0
    private var sumXY = 0.0
    private var draftWeight = 0.0
    private var draftSum = 0.0
    /// What one more row has cost in passes of others too, where that is known.
    private var knownMarginal: Double?
    private let isFixed: Bool
    private let fixedDraft: Double
    private let fixedMarginal: Double

    /// What an old pass keeps of its weight with every new one.
    private static let memory = 0.95
    /// Marginal over base cost before passes of several lengths have shown it.
    package static let expectedMarginal = 0.06
    /// Weight of that expectation, in squared rows.
    private static let expectedWeight = 0.05

    /// Costs to be measured.
    package init() {
        isFixed = false
        fixedDraft = 0
        fixedMarginal = 0
    }

    /// Costs that stay as they are, in units of a primary pass over one row: decisions that rest on them do not depend
    /// on the clock.
    package init(draftOverPass: Double, rowOverPass: Double = expectedMarginal) {
        isFixed = true
        fixedDraft = draftOverPass
        fixedMarginal = rowOverPass
    }

    /// Whether the clock decides.
    package var isClocked: Bool { !isFixed }

    /// Whether a primary pass has been timed (or need not be).
    package var isKnown: Bool { isFixed || weight > 0 }

    /// One more row of a primary pass.
    package var marginal: Double {
        if isFixed { return fixedMarginal }
        guard weight > 0 else { return 0 }
        let meanX = sumX / weight
        let meanY = sumY / weight
        let variance = sumXX / weight - meanX * meanX
        let covariance = sumXY / weight - meanX * meanY
        // The expected slope is a share of the base, and base = meanY − slope · meanX.
        let expected =
            knownMarginal ?? Self.expectedMarginal * meanY / (1 + Self.expectedMarginal * meanX)
        let prior = Self.expectedWeight / weight
        let slope = (covariance + prior * expected) / (variance + prior)
        return min(max(slope, 0), meanY / (1 + meanX))
    }

    /// A primary pass over one row.
    package var base: Double {
        if isFixed { return 1 }
        guard weight > 0 else { return 0 }
        return max(sumY / weight - marginal * sumX / weight, 0)
    }

    /// One draft of the secondary. Before the first one: a sixth of a pass.
    package var draft: Double {
        if isFixed { return fixedDraft }
        return draftWeight > 0 ? draftSum / draftWeight : base / 6
    }

    /// A primary pass over `rows` rows.
    package func pass(rows: Int) -> Double { base + marginal * Double(rows - 1) }

    /// Adds a primary pass.
    /// - Parameter marginal: what one more row is known to cost, from passes of other lengths that others made.
    package mutating func recordPass(rows: Int, seconds: Double, marginal: Double? = nil) {
        guard !isFixed, seconds >= 0, rows > 0 else { return }
        knownMarginal = marginal
        let seconds = weight >= 2 ? min(seconds, 3 * pass(rows: rows)) : seconds
        let x = Double(rows - 1)
        let keep = Self.memory
        weight = weight * keep + 1
        sumX = sumX * keep + x
        sumXX = sumXX * keep + x * x
        sumY = sumY * keep + seconds
        sumXY = sumXY * keep + x * seconds
    }

    /// Adds one draft of the secondary.
    package mutating func recordDraft(seconds: Double) {
        guard !isFixed, seconds >= 0 else { return }
        let seconds = draftWeight >= 2 ? min(seconds, 3 * draft) : seconds
        draftWeight = draftWeight * Self.memory + 1
        draftSum = draftSum * Self.memory + seconds
    }
}
