// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

/// Tokens that may follow a text, several of them in the same place.
///
/// Node 0, the root, is the newest token of the text itself. A node's parent comes before the node.
package struct TokenTree: Sendable, Equatable {
    package private(set) var tokens: [TokenID]
    /// The node that each node follows; the root's is −1.
    package private(set) var parents: [Int]
    /// Distance from the root.
    package private(set) var depths: [Int]
    /// One more than the greatest depth.
    package private(set) var length = 1
    /// Whether every node follows the one before it.
    package private(set) var isChain = true

    package init(root: TokenID) {
        tokens = [root]
        parents = [-1]
        depths = [0]
    }

    /// Nodes, the root included.
    package var count: Int { tokens.count }

    /// Adds a token after `parent`; returns its node.
    @discardableResult
    package mutating func append(_ token: TokenID, after parent: Int) -> Int {
        if parent != count - 1 { isChain = false }
        tokens.append(token)
        parents.append(parent)
        depths.append(depths[parent] + 1)
        length = max(length, depths[parent] + 2)
        return count - 1
    }

    /// The node after `node` that has the token. O(count).
    package func child(of node: Int, token: TokenID) -> Int? {
        guard node + 1 < count else { return nil }
        return (node + 1..<count).first { parents[$0] == node && tokens[$0] == token }
    }

    /// The nodes from the root to `node`.
    package func path(to node: Int) -> [Int] {
        var path = [node]
        path.reserveCapacity(depths[node] + 1)
        var at = node
        while at > 0 {
            at = parents[at]
            path.append(at)
        }
        return path.reversed()
    }

    /// The tokens of some nodes in an order in which every node follows its parent directly, or nodes that follow that one.
    /// - Parameter chosen: with every node its parent, ascending; the root first. Of nodes with the same parent, the first
    ///   comes first.
    /// - Returns: the new tree, and which node of this one each of its nodes was.
    package func depthFirst(_ chosen: [Int]) -> (tree: TokenTree, origins: [Int]) {
        var children: [Int: [Int]] = [:]
        for node in chosen where node > 0 { children[parents[node], default: []].append(node) }
        var tree = TokenTree(root: tokens[0])
        var origins = [0]
        var stack = (children[0] ?? []).reversed().map { (node: $0, parent: 0) }
        while let (node, parent) = stack.popLast() {
            let place = tree.append(tokens[node], after: parent)
            origins.append(node)
            for child in (children[node] ?? []).reversed() { stack.append((child, place)) }
        }
        return (tree, origins)
    }
}
