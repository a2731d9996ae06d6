// SPDX-License-Identifier: Apache-2.0

/// States that allow the same tokens, or almost: masks are computed once for all that are alike.
///
/// In a string the same tokens may follow whatever the string is part of, but for those that hold its end; and however long
/// it is already, as long as its limit is farther away than a token is long.
extension ByteMachine {
    /// A state that allows the same tokens of at most `TokenTrie.shortBytes` bytes: counts of loops that so few bytes cannot
    /// bring to a limit are replaced.
    mutating func clamped(_ node: Int32) throws(GrammarError) -> Int32 {
        if let known = clampedNodes[node] { return known }
        var entries: [StackTable.Entry] = []
        var isChanged = false
        for place in stacks.range(node) {
            let old = stacks.entry(place)
            // As deep as the stacks are; their depth is limited.
            let rest = try clamped(old.rest)
            let new = StackTable.Entry(
                position: old.position, count: clampedCount(old), rest: rest)
            isChanged = isChanged || new != old
            entries.append(new)
        }
        let result =
            isChanged ? try stacks.node(of: entries, holdsEmpty: stacks.holdsEmptyStack(node)) : node
        clampedNodes[node] = result
        return result
    }

    private func clampedCount(_ entry: StackTable.Entry) -> Int32 {
        let element = grammar.elements[Int(entry.position)]
        guard element.kind == .loop else { return entry.count }
        // Every round takes a byte at least; one is under way.
        let reach = Int32(TokenTrie.shortBytes) + 1
        if entry.count >= element.least {
            return element.most < 0 || element.most - entry.count > reach ? element.least : entry.count
        }
        return element.least - entry.count > reach ? 0 : entry.count
    }

    /// The state with all that its stacks have in common below replaced by the unknown, and how deep that is; nil when they
    /// have nothing in common.
    mutating func opened(_ state: Int32) -> (state: Int32, depthBelow: Int32)? {
        guard let common = commonRest(of: state) else { return nil }
        let unknown = stacks.intern(
            [StackTable.Entry(position: StackTable.unknown, rest: StackTable.none)], holdsEmpty: false)
        var renamed = [common: unknown]
        return (replaced(state, &renamed), stacks.depth(common))
    }

    /// The node that all stacks of a state go through below their first places.
    private func commonRest(of state: Int32) -> Int32? {
        var rests = Set(stacks.range(state).map { stacks.entry($0).rest })
        // A node comes after those it refers to, so the last one is in none of the others.
        for _ in 0..<64 {
            guard let last = rests.max(), last != StackTable.bottom else { return nil }
            if rests.count == 1 { return last }
            guard !stacks.holdsEmptyStack(last) else { return nil }
            rests.remove(last)
            for place in stacks.range(last) { rests.insert(stacks.entry(place).rest) }
        }
        return nil
    }

    private mutating func replaced(_ node: Int32, _ renamed: inout [Int32: Int32]) -> Int32 {
        if let known = renamed[node] { return known }
        let entries = stacks.range(node).map { stacks.entry($0) }
        var list: [StackTable.Entry] = []
        for var entry in entries {
            entry.rest = replaced(entry.rest, &renamed)
            list.append(entry)
        }
        let result = stacks.intern(list, holdsEmpty: stacks.holdsEmptyStack(node))
        renamed[node] = result
        return result
    }
}
