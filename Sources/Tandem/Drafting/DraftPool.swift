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
    /// Among the children of its parent, by the secondary; the best has 0.
    package private(set) var ranks = [0]
    /// By what the chance of each node was known: how sure the secondary was of it, and a router's estimate.
    package private(set) var weights = [1.0]
    package private(set) var estimates: [Double?] = [nil]

    package init(root: TokenID) {
        tree = TokenTree(root: root)
    }

    package var count: Int { tree.count }

    /// The children of a node, the best first.
    package func children(of node: Int) -> [Int] {
        (node + 1..<max(count, node + 1)).filter { tree.parents[$0] == node }
    }

    /// The best child of the root, its best child and so on, the root first.
    package var mainLine: [Int] {
        var line = [0]
        for node in 1..<max(1, count) where tree.parents[node] == line[line.count - 1] && ranks[node] == 0 {
            line.append(node)
        }
        return line
    }

    /// Adds the children of `node`, the best first, each with its chance. Nothing comes after `endTokens`.
    package mutating func expand(_ node: Int, _ children: [TreeChances.Judged], endTokens: Set<TokenID>) {
        isExpanded[node] = true
        for (rank, child) in children.enumerated() {
            tree.append(child.token, after: node)
            survival.append(survival[node] * child.chance)
            isExpanded.append(endTokens.contains(child.token))
            ranks.append(rank)
            weights.append(child.weight)
            estimates.append(child.estimate)
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
