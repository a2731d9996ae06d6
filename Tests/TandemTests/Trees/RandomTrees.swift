// SPDX-License-Identifier: Apache-2.0

import Tandem

extension TestRandom {
    /// A tree of `count` nodes after its root, bushy or slender, whose children of one node have different tokens.
    mutating func tree(_ count: Int, vocabulary: Int) -> TokenTree {
        var tree = TokenTree(root: Int32(index(below: vocabulary)))
        let reach = 1 + index(below: 8)
        while tree.count <= count {
            let parent = max(0, tree.count - 1 - index(below: reach))
            let token = Int32(index(below: vocabulary))
            if tree.child(of: parent, token: token) == nil { tree.append(token, after: parent) }
        }
        return tree
    }
}

extension TokenTree {
    /// The tokens of the path to a node.
    func text(to node: Int) -> [Int32] { path(to: node).map { tokens[$0] } }

    /// The path to a node as a tree of its own.
    func chain(to node: Int) -> TokenTree {
        let text = text(to: node)
        var chain = TokenTree(root: text[0])
        for token in text.dropFirst() { chain.append(token, after: chain.count - 1) }
        return chain
    }
}
