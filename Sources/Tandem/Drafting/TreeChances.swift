// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import TandemTokenizer

/// How often the tokens that the secondary ranks first, second and so on are what the primary takes, learnt by how sure
/// the secondary was of each.
///
/// Thread safety: a value.
package struct TreeChances: Sendable {
    /// How often candidates were taken, by bin, and how often each bin was the best candidate's.
    private var taken: [AcceptanceEstimate] = []
    private var seen: [Double]
    /// Best tokens taken over those that were promised, by depth: deep drafts know less of the text.
    private var depthKept = [Double](repeating: 0, count: depthClasses)
    private var depthPromised = [Double](repeating: 0, count: depthClasses)

    /// Bins of the best candidates by weight, of the same by a router's estimate, and of the others by weight.
    private static let bestBins = 0..<12
    private static let estimateBins = 12..<24
    private static let otherBins = 24..<33
    private static let depthClasses = 8
    /// Weight of "as promised" in the depth factors, and what an old draft keeps of its weight.
    private static let depthPrior = 8.0
    private static let depthMemory = 0.995
    /// What the counts of bins keep of their weight from one solution of the stopping rule to the next.
    private static let fading = 0.9

    package init() {
        let count = Double(Self.bestBins.count)
        for bin in Self.bestBins {
            taken.append(AcceptanceEstimate(prior: 0.35 + 0.6 * (Double(bin) + 0.5) / count))
        }
        for bin in Self.estimateBins.indices {
            let left = 1 - (Double(bin - Self.estimateBins.lowerBound) + 0.5) / count
            taken.append(AcceptanceEstimate(prior: 1 - left * left, strength: 8))
        }
        // About as probable as the secondary says.
        for bin in Self.otherBins {
            taken.append(
                AcceptanceEstimate(prior: 0.7 * exp2(-Double(bin - Self.otherBins.lowerBound) - 0.5)))
        }
        seen = Self.bestBins.map { _ in 1 } + Self.estimateBins.map { _ in 0 }
    }

    /// A candidate and what is thought of it.
    package struct Judged: Sendable {
        package let token: TokenID
        /// Probability that it is taken after its parent.
        package let chance: Double
        /// By what that is known.
        package let bin: Int

        package init(token: TokenID, chance: Double, bin: Int) {
            self.token = token
            self.chance = chance
            self.bin = bin
        }
    }

    /// Candidates after a node of depth `depth`, the best first, each with its chance to be taken there.
    /// - Parameter estimate: a router's of the chance of the best one, where it was asked.
    package mutating func judge(_ candidates: [DraftCandidate], depth: Int, estimate: Double? = nil)
        -> [Judged]
    {
        var left = 0.999
        return candidates.enumerated().map { rank, candidate in
            let bin =
                rank > 0
                ? Self.otherBin(candidate.weight)
                : estimate.map(Self.estimateBin) ?? Self.bestBin(candidate.weight)
            if rank == 0 { seen[bin] += 1 }
            // One of them is taken at most.
            let chance = min(taken[bin].share * (rank == 0 ? depthFactor(depth) : 1), left)
            left -= chance
            return Judged(token: candidate.token, chance: chance, bin: bin)
        }
    }

    /// How much less (or more) often than promised the best token is taken at a depth.
    package func depthFactor(_ depth: Int) -> Double {
        let index = min(depth, Self.depthClasses - 1)
        return (depthKept[index] + Self.depthPrior) / (depthPromised[index] + Self.depthPrior)
    }

    /// Chances of best tokens with the share of drafts that had each lately.
    package var spectrum: [(chance: Double, share: Double)] {
        let total = seen.reduce(0, +)
        return zip(taken, seen).lazy.filter { $1 > 0 }.map { (chance: $0.share, share: $1 / total) }
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
            for child in pool.children(of: node) {
                let bin = pool.bins[child]
                let isTaken = pool.tree.tokens[child] == token
                if pool.ranks[child] == 0 {
                    let index = min(step, Self.depthClasses - 1)
                    depthKept[index] = depthKept[index] * Self.depthMemory + (isTaken ? 1 : 0)
                    depthPromised[index] = depthPromised[index] * Self.depthMemory + taken[bin].share
                }
                taken[bin].record(isTaken, weight: weight)
            }
        }
    }

    private static func bestBin(_ weight: Double) -> Int { place(weight, in: bestBins) }

    /// Long paths are a matter of chances near 1: there bins are narrower.
    private static func estimateBin(_ estimate: Double) -> Int {
        place(1 - max(0, 1 - estimate).squareRoot(), in: estimateBins)
    }

    /// What is no number has no place, and counts as the least.
    private static func place(_ value: Double, in bins: Range<Int>) -> Int {
        bins.lowerBound + (value > 0 ? min(Int(min(value, 1) * Double(bins.count)), bins.count - 1) : 0)
    }

    /// The first is of weights from 1/2 to 1, every other one of half of those before.
    private static func otherBin(_ weight: Double) -> Int {
        otherBins.lowerBound
            + (weight > 0 ? min(max(Int(-log2(weight)), 0), otherBins.count - 1) : otherBins.count - 1)
    }
}
