// SPDX-License-Identifier: Apache-2.0

extension ByteMachine {
    /// Marks the tokens whose bytes may follow a state.
    ///
    /// Complexity: O(nodes of the trie that are reached), one table lookup each once the states are known.
    mutating func fill(_ mask: inout TokenMask, from state: Int32, _ trie: TokenTrie) throws(GrammarError) {
        let nodes = trie.nodes
        let classOfByte = grammar.classOfByte
        // The states along the path through the trie, and where their transitions begin.
        var path = [Int32](repeating: 0, count: trie.longest + 1)
        var rows = [Int](repeating: 0, count: trie.longest + 1)
        path[0] = state
        rows[0] = row(of: state)
        var place = 0
        while place < nodes.count {
            let node = nodes[place]
            let depth = Int(node.depth)
            let next = try next(path[depth - 1], row: rows[depth - 1], classOfByte[Int(node.byte)])
            if next == StackTable.none {
                place = Int(node.end)
                continue
            }
            var token = node.token
            while token >= 0 {
                mask.insert(token)
                token = trie.twins[Int(token)]
            }
            place += 1
            if place < node.end {
                path[depth] = next
                rows[depth] = row(of: next)
            }
        }
    }
}
