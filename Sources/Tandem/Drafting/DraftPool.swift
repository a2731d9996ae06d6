// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

/// A token that may be drafted after a text.
package struct DraftCandidate: Sendable, Equatable {
    package let token: TokenID
    /// How sure the secondary is of it, 0 … 1: what chances are learnt by.
    package let weight: Double

    package init(token: TokenID, weight: Double) {
        self.token = token
        self.weight = weight
    }
}

/// All tokens that a pass may draft, more than it will: a tree that grows where its tokens are likely.
///
/// Thread safety: a value.
package struct DraftPool: Sendable {
    package private(set) var tree: TokenTree
    /// Probability that the primary takes each node and all before it.
    package private(set) var survival = [1.0]
    /// Nodes whose children are there.
    package private(set) var isExpanded = [false]
    /// Among the children of its parent, by the secondary; the best has 0. ``unranked`` where the secondary was not asked.
    package private(set) var ranks = [0]
    /// Length of the match by which prompt lookup found each node after its parent; 0 = it did not.
    package private(set) var matchLengths = [0]
    /// By what the chance of each node was known: how sure the secondary was of it, and a router's estimate.
    package private(set) var weights = [1.0]
    package private(set) var estimates: [Double?] = [nil]
    /// Whether anything comes after each node.
    private var isParent = [false]

    package init(root: TokenID) {
        tree = TokenTree(root: root)
    }

    package var count: Int { tree.count }

    /// The rank of nodes that only prompt lookup knows of.
    package static let unranked = Int.max

    /// The children of a node that the secondary is for, the best first.
    package func ranked(of node: Int) -> [Int] {
        (node + 1..<max(count, node + 1)).filter { tree.parents[$0] == node && ranks[$0] != Self.unranked }
            .sorted { ranks[$0] < ranks[$1] }
    }

    /// The children of a node that prompt lookup found.
    package func lookedUp(of node: Int) -> [Int] {
        (node + 1..<max(count, node + 1)).filter { tree.parents[$0] == node && matchLengths[$0] > 0 }
    }

    /// The best child of the root, its best child and so on, the root first.
    package var mainLine: [Int] {
        var line = [0]
        for node in 1..<max(1, count) where tree.parents[node] == line[line.count - 1] && ranks[node] == 0 {
            line.append(node)
        }
        return line
    }

    /// Adds the children of `node` that the secondary is for, the best first, each with its chance. Nothing comes after
    /// `endTokens`.
    /// - Parameter disputed: chances of what prompt lookup found and the secondary is not for, by length of the match.
    package mutating func expand(
        _ node: Int, _ children: [TreeChances.Judged], endTokens: Set<TokenID>, disputed: [Int: Double] = [:]
    ) {
        isExpanded[node] = true
        let found = isParent[node] ? lookedUp(of: node) : []
        for child in found {
            if let chance = disputed[matchLengths[child]] { set(child, to: survival[node] * chance) }
        }
        for (rank, child) in children.enumerated() {
            let known = found.first { tree.tokens[$0] == child.token }
            let place = known ?? append(child.token, after: node, endTokens)
            ranks[place] = rank
            weights[place] = child.weight
            estimates[place] = child.estimate
            set(place, to: survival[node] * child.chance)
        }
    }

    /// Adds what followed an earlier occurrence of the text up to `node`, one token after the other, each kept after those
    /// before it with the same chance. What is there already is at least that probable afterwards.
    package mutating func graft(
        _ proposal: PromptLookup.Proposal, after node: Int, chance: Double, depthLimit: Int,
        endTokens: Set<TokenID>
    ) {
        var node = node
        for token in proposal.tokens where tree.depths[node] < depthLimit {
            if endTokens.contains(tree.tokens[node]), node > 0 { break }
            let next =
                isParent[node]
                ? tree.child(of: node, token: token) ?? append(token, after: node, endTokens)
                : append(token, after: node, endTokens)
            matchLengths[next] = max(matchLengths[next], proposal.matchLength)
            set(next, to: max(survival[next], survival[node] * chance))
            node = next
        }
    }

    private mutating func append(_ token: TokenID, after node: Int, _ endTokens: Set<TokenID>) -> Int {
        isParent[node] = true
        isParent.append(false)
        survival.append(0)
        isExpanded.append(endTokens.contains(token))
        ranks.append(Self.unranked)
        matchLengths.append(0)
        weights.append(0)
        estimates.append(nil)
        return tree.append(token, after: node)
    }

    /// Makes a node that probable, and what comes after it in proportion.
    private mutating func set(_ node: Int, to value: Double) {
        let before = survival[node]
        survival[node] = value
        guard before > 0, value != before, isParent[node] else { return }
        var changed: Set<Int> = [node]
        for later in node + 1..<max(count, node + 1) where changed.contains(tree.parents[later]) {
            changed.insert(later)
            survival[later] *= value / before
        }
    }

    /// The `limit` nodes after the root that survive most probably, of those above `price`; in ascending order, the root
    /// first. Every node's parent is among them.
    package func best(_ limit: Int, above price: Double) -> [Int] {
        var nodes = (1..<max(1, count)).filter { survival[$0] > price }
        if nodes.count > limit {
            // A child survives less than its parent, and comes later where both survive alike.
            nodes.sort { survival[$0] != survival[$1] ? survival[$0] > survival[$1] : $0 < $1 }
            nodes.removeSubrange(limit...)
            nodes.sort()
        }
        return [0] + nodes
    }

    /// Nodes that are not expanded among `nodes`, the most probable first.
    package func leaves(of nodes: [Int], depthLimit: Int) -> [Int] {
        nodes.filter { !isExpanded[$0] && tree.depths[$0] < depthLimit }
            .sorted { survival[$0] != survival[$1] ? survival[$0] > survival[$1] : $0 < $1 }
    }
}
