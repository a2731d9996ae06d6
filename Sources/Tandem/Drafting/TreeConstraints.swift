// SPDX-License-Identifier: Apache-2.0

internal import TandemTokenizer

/// A grammar along the paths of a tree of drafts.
///
/// Thread safety: a value.
struct TreeConstraints {
    /// The grammar after the nodes that it was asked for.
    private var known: [Int: TokenConstraint]

    /// - Parameter root: the grammar after the root.
    init(_ root: TokenConstraint) { known = [0: root] }

    /// The grammar after a node, all of whose path it allows.
    /// - Throws: ``TandemError/grammar(_:)`` for a grammar that is too ambiguous.
    mutating func constraint(after node: Int, of tree: TokenTree) throws(TandemError) -> TokenConstraint? {
        var current: TokenConstraint?
        for step in tree.path(to: node) {
            if let found = known[step] {
                current = found
            } else {
                guard try current?.advance(tree.tokens[step]) == true else { return nil }
                known[step] = current
            }
        }
        return current
    }
}

extension TokenConstraint {
    /// The first of `tokens`, up to one that is not allowed after those before it.
    /// - Throws: ``TandemError/grammar(_:)`` for a grammar that is too ambiguous.
    func allowed(_ tokens: [TokenID]) throws(TandemError) -> [TokenID] {
        var ahead = self
        var allowed: [TokenID] = []
        for token in tokens {
            guard !ahead.mustEnd, try ahead.advance(token) else { break }
            allowed.append(token)
        }
        return allowed
    }
}
