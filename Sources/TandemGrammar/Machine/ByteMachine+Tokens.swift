// SPDX-License-Identifier: Apache-2.0

/// Tokens that may follow a state, as far as it can be said without knowing all of it.
struct PartialMask {
    /// Tokens that may follow for certain.
    var mask: TokenMask
    /// Paths through the trie below which (themselves included) it takes the whole state to say.
    var open: [OpenPath] = []
    /// Depth of the deepest stack met.
    var depth: Int32 = 0

    struct OpenPath {
        /// The node of the trie at the end of the path.
        let node: Int
        let bytes: [UInt8]
    }
}

extension ByteMachine {
    /// Marks the tokens of at most `longest` bytes that may follow a state. Where its stacks go on in what is not known,
    /// the path there is noted instead.
    ///
    /// Complexity: O(nodes of the trie that are reached), one table lookup each once the states are known.
    mutating func fill(
        _ result: inout PartialMask, from state: Int32, _ trie: TokenTrie, longest: Int
    ) throws(GrammarError) {
        let nodes = trie.nodes
        let classOfByte = grammar.classOfByte
        // The states along the path through the trie, where their transitions begin, and its bytes.
        var path = [Int32](repeating: 0, count: trie.longest + 1)
        var rows = [Int](repeating: 0, count: trie.longest + 1)
        var bytes = [UInt8](repeating: 0, count: trie.longest + 1)
        path[0] = state
        rows[0] = row(of: state)
        var place = 0
        while place < nodes.count {
            let node = nodes[place]
            let depth = Int(node.depth)
            guard depth <= longest else {
                place = Int(node.end)
                continue
            }
            let next = try next(path[depth - 1], row: rows[depth - 1], classOfByte[Int(node.byte)])
            if next == StackTable.none {
                place = Int(node.end)
                continue
            }
            bytes[depth] = node.byte
            if next != path[depth - 1] {
                if isOpen(next) {
                    result.open.append(PartialMask.OpenPath(node: place, bytes: Array(bytes[1...depth])))
                    place = Int(node.end)
                    continue
                }
                result.depth = max(result.depth, stacks.depth(next))
            }
            result.mask.insert(node.token, trie)
            place += 1
            if place < node.end {
                path[depth] = next
                rows[depth] = row(of: next)
            }
        }
    }

    /// Marks the tokens that may follow a state, which is known as a whole, on or below one of these paths.
    mutating func fill(
        _ mask: inout TokenMask, from state: Int32, _ trie: TokenTrie, below open: [PartialMask.OpenPath]
    )
        throws(GrammarError)
    {
        let nodes = trie.nodes
        let classOfByte = grammar.classOfByte
        var path = [Int32](repeating: StackTable.none, count: trie.longest + 1)
        path[0] = state
        var before: [UInt8] = []
        for branch in open {
            // The states of the path before serve as far as it is the same.
            var depth = 0
            while depth < min(before.count, branch.bytes.count) - 1, before[depth] == branch.bytes[depth] {
                depth += 1
            }
            before = branch.bytes
            while depth < branch.bytes.count {
                path[depth + 1] =
                    path[depth] == StackTable.none
                    ? StackTable.none : try next(path[depth], branch.bytes[depth])
                depth += 1
            }
            guard path[depth] != StackTable.none else { continue }
            mask.insert(nodes[branch.node].token, trie)
            var place = branch.node + 1
            while place < nodes[branch.node].end {
                let node = nodes[place]
                let depth = Int(node.depth)
                let from = path[depth - 1]
                let next = try next(from, row: row(of: from), classOfByte[Int(node.byte)])
                if next == StackTable.none {
                    place = Int(node.end)
                    continue
                }
                mask.insert(node.token, trie)
                path[depth] = next
                place += 1
            }
        }
    }

    /// Whether some stack of a state has come to what is not known.
    private func isOpen(_ state: Int32) -> Bool {
        guard let last = stacks.range(state).last else { return false }
        return stacks.entry(last).position == StackTable.unknown
    }
}

extension TokenMask {
    /// Inserts a token and those with the same bytes.
    fileprivate mutating func insert(_ token: Int32, _ trie: TokenTrie) {
        var token = token
        while token >= 0 {
            insert(token)
            token = trie.twins[Int(token)]
        }
    }
}
