// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import TandemTokenizer

/// How likely the primary is to take each of the tokens that the secondary would put in a place.
///
/// The primary chooses much like the secondary, but is surer: of candidates with weights w it takes each about as often as
/// w^a says beside the others', with one exponent a for all. That exponent is learnt, as what explains best what was taken,
/// among a few with a little trust in advance in the usual one. So a first pass already knows its chances.
///
/// Thread safety: a value.
package struct TreeChances: Sendable {
    /// How well each of ``exponents`` explains what was taken: logarithms of likelihoods, old ones fading.
    private var evidence: [Double]
    /// How often none of the candidates was taken.
    private var missed = AcceptanceEstimate(prior: 0.01, strength: 25)
    /// How often best candidates were taken by a router's estimate.
    private var byEstimate: [AcceptanceEstimate]
    /// How often the chance of best candidates was in each bin.
    private var seen = [Double](repeating: 1, count: seenBins)
    /// Best tokens taken over those that were promised, by depth: deep drafts know less of the text.
    private var depthKept = [Double](repeating: 0, count: depthClasses)
    private var depthPromised = [Double](repeating: 0, count: depthClasses)

    private static let exponents = (0..<13).map { 0.5 + 0.25 * Double($0) }
    /// What is expected of the exponent before anything was taken, and how sure that is.
    private static let greedyExponent = 2.1
    private static let sampledExponent = 1.4
    private static let exponentSpread = 0.3
    /// What the evidence keeps of its weight with every new place.
    private static let memory = 0.995
    private static let surest = 0.999
    private static let estimateBins = 12
    private static let seenBins = 12
    private static let depthClasses = 8
    /// Weight of "as promised" in the depth factors, and what an old draft keeps of its weight.
    private static let depthPrior = 16.0
    private static let depthMemory = 0.995
    /// What the counts of bins keep of their weight from one solution of the stopping rule to the next.
    private static let fading = 0.9

    /// - Parameter isSampled: whether tokens are drawn; weights are others then.
    package init(isSampled: Bool = false) {
        let usual = isSampled ? Self.sampledExponent : Self.greedyExponent
        evidence = Self.exponents.map { -0.5 * pow(($0 - usual) / Self.exponentSpread, 2) }
        byEstimate = (0..<Self.estimateBins).map { bin in
            let left = 1 - (Double(bin) + 0.5) / Double(Self.estimateBins)
            return AcceptanceEstimate(prior: 1 - left * left, strength: 8)
        }
    }

    /// A candidate and what is thought of it.
    package struct Judged: Sendable {
        package let token: TokenID
        /// How sure the secondary is of it, and where a router was asked about it, its estimate.
        package let weight: Double
        package let estimate: Double?
        /// Probability that it is taken after its parent.
        package let chance: Double

        package init(token: TokenID, weight: Double, estimate: Double? = nil, chance: Double) {
            self.token = token
            self.weight = weight
            self.estimate = estimate
            self.chance = chance
        }
    }

    /// The exponent by all that was taken so far.
    package var exponent: Double {
        let most = evidence.max() ?? 0
        var sum = 0.0
        var weighted = 0.0
        for (exponent, evidence) in zip(Self.exponents, evidence) {
            let likelihood = exp(evidence - most)
            sum += likelihood
            weighted += likelihood * exponent
        }
        return weighted / sum
    }

    /// Candidates after a node of depth `depth`, the best first, each with its chance to be taken there.
    /// - Parameter estimate: a router's of the chance of the best one, where it was asked.
    package mutating func judge(_ candidates: [DraftCandidate], depth: Int, estimate: Double? = nil)
        -> [Judged]
    {
        guard !candidates.isEmpty else { return [] }
        var shares = Self.shares(candidates.map(\.weight), exponent: exponent)
        let taken = 1 - missed.share
        let promised = estimate.map { byEstimate[Self.estimateBin($0)].share } ?? shares[0] * taken
        seen[Self.seenBin(promised)] += 1
        let first = min(promised * depthFactor(depth), Self.surest)
        // One of them is taken at most.
        let others = shares[0] < 1 ? max(0, max(taken, first) - first) / (1 - shares[0]) : 0
        for rank in shares.indices { shares[rank] = rank == 0 ? first : shares[rank] * others }
        return candidates.enumerated().map { rank, candidate in
            Judged(
                token: candidate.token, weight: candidate.weight,
                estimate: rank == 0 ? estimate : nil, chance: shares[rank])
        }
    }

    /// Shares of 1 that stand to each other as weights to the power of `exponent`.
    private static func shares(_ weights: [Double], exponent: Double) -> [Double] {
        // What is no number says nothing.
        let first = weights.first ?? 0
        guard first > 0, first < .infinity else { return weights.map { _ in 1 / Double(weights.count) } }
        let powers = weights.map { $0 > 0 ? pow(min($0 / first, 1), exponent) : 0 }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    /// How much less (or more) often than promised the best token is taken at a depth.
    package func depthFactor(_ depth: Int) -> Double {
        let index = min(depth, Self.depthClasses - 1)
        return (depthKept[index] + Self.depthPrior) / (depthPromised[index] + Self.depthPrior)
    }

    /// Chances of best tokens with the share of drafts that had each lately.
    package var spectrum: [(chance: Double, share: Double)] {
        let total = seen.reduce(0, +)
        return seen.enumerated().map { bin, count in
            (chance: Self.chance(ofBin: bin), share: count / total)
        }
    }

    /// Lets the spectrum forget.
    package mutating func fade() {
        for bin in seen.indices { seen[bin] *= Self.fading }
    }

    /// Learns from a pass: `path` are the nodes that were taken, `next` is the token that the primary put after the last.
    /// - Parameter weight: passes that this one counts for.
    package mutating func learn(_ pool: DraftPool, path: [Int], next: TokenID?, weight: Int) {
        for (step, node) in path.enumerated() where pool.isExpanded[node] {
            let isLast = step + 1 == path.count
            guard let token = isLast ? next : pool.tree.tokens[path[step + 1]] else { continue }
            let children = pool.ranked(of: node)
            guard let best = children.first else { continue }
            let taken = children.firstIndex { pool.tree.tokens[$0] == token }
            missed.record(taken == nil, weight: weight)
            if let taken { learn(children.map { pool.weights[$0] }, taken: taken, weight: weight) }
            if let estimate = pool.estimates[best] {
                byEstimate[Self.estimateBin(estimate)].record(taken == 0, weight: weight)
            }
            let index = min(step, Self.depthClasses - 1)
            depthKept[index] = depthKept[index] * Self.depthMemory + (taken == 0 ? 1 : 0)
            depthPromised[index] =
                depthPromised[index] * Self.depthMemory + pool.survival[best] / pool.survival[node]
                / depthFactor(step)
        }
    }

    private mutating func learn(_ weights: [Double], taken: Int, weight: Int) {
        for (index, exponent) in Self.exponents.enumerated() {
            let share = Self.shares(weights, exponent: exponent)[taken]
            evidence[index] =
                evidence[index] * Self.memory + Double(weight) * log(max(share, 1e-9))
        }
    }

    /// Long paths are a matter of chances near 1: there bins are narrower. What is no number counts as the least.
    private static func estimateBin(_ estimate: Double) -> Int { bin(estimate, of: estimateBins) }
    private static func seenBin(_ chance: Double) -> Int { bin(chance, of: seenBins) }

    private static func bin(_ value: Double, of count: Int) -> Int {
        guard value > 0 else { return 0 }
        let place = 1 - max(0, 1 - value).squareRoot()
        return min(Int(place * Double(count)), count - 1)
    }

    private static func chance(ofBin bin: Int) -> Double {
        let left = 1 - (Double(bin) + 0.5) / Double(seenBins)
        return 1 - left * left
    }
}
