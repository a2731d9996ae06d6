// SPDX-License-Identifier: Apache-2.0

/// Says which tokens may follow a text under a grammar.
///
/// States and masks are kept, so that a state met again costs a lookup. Memory is bounded: what can be made again is
/// forgotten when it grows too large (``trim(keeping:)``).
///
/// Thread safety: none; a matcher belongs to one generation at a time.
package final class GrammarMatcher {
    package let grammar: Grammar
    package let vocabulary: GrammarVocabulary
    /// Tokens that are allowed exactly when the text may end.
    package let endTokens: Set<Int32>
    private var machine: ByteMachine
    private var masks: [UInt64: TokenMask] = [:]
    /// Masks of states that stand for many.
    private var partialMasks: [UInt64: PartialMask] = [:]

    private let limits: MatcherLimits

    /// - Parameter memoryLimit: bytes that the matcher may take, more or less; where a text needs more, matching it is an
    ///   error. `nil` = some tens of MiB.
    package init(
        grammar: Grammar, vocabulary: GrammarVocabulary, endTokens: Set<Int32>, memoryLimit: Int? = nil
    ) {
        self.grammar = grammar
        self.vocabulary = vocabulary
        self.endTokens = endTokens
        limits = MatcherLimits(bytes: memoryLimit)
        machine = ByteMachine(grammar.tables, limit: limits.entries)
    }

    /// The state before the first token.
    package func start() throws(GrammarError) -> GrammarState {
        machine.beginWork()
        return GrammarState(matcher: self, node: try machine.start(), isFirst: true)
    }

    /// Bytes that the matcher holds, about.
    package var byteCount: Int { machine.size * 16 + (masks.count + partialMasks.count) * maskBytes }

    private var maskBytes: Int { (vocabulary.size + 63) / 64 * 8 }

    func mayEnd(_ node: Int32) -> Bool { machine.mayEnd(node) }

    func mustEnd(_ node: Int32) -> Bool { machine.mustEnd(node) }

    func trie(isFirst: Bool) -> TokenTrie { isFirst ? vocabulary.first : vocabulary.inside }

    /// The state after a token, or none.
    func advance(_ node: Int32, _ token: Int32, isFirst: Bool) throws(GrammarError) -> Int32? {
        if endTokens.contains(token) { return machine.mayEnd(node) ? StackTable.none : nil }
        let bytes = trie(isFirst: isFirst).bytes(of: token)
        guard !bytes.isEmpty else { return nil }
        machine.beginWork()
        var state = node
        for byte in bytes {
            state = try machine.next(state, byte)
            if state == StackTable.none { return nil }
        }
        return state
    }

    /// The tokens that may follow a state.
    func mask(_ node: Int32, isFirst: Bool) throws(GrammarError) -> TokenMask {
        let isApart: UInt64 = isFirst && vocabulary.first !== vocabulary.inside ? 1 : 0
        let key = UInt64(UInt32(node)) << 1 | isApart
        if let known = masks[key] { return known }
        machine.beginWork()
        let trie = trie(isFirst: isFirst)
        let clamped = try machine.clamped(node)
        let isShort = clamped != node && trie.longest > TokenTrie.shortBytes
        let longest = isShort ? TokenTrie.shortBytes : trie.longest
        let opened = machine.opened(clamped)
        var partial = try partialMask(opened?.state ?? clamped, trie, longest: longest, isApart: isApart)
        if let opened, partial.depth + opened.depthBelow > GrammarLimits.depth {
            // Near the limit of depth it matters what lies below.
            partial = try partialMask(clamped, trie, longest: longest, isApart: isApart)
        }
        var mask = partial.mask
        try machine.fill(&mask, from: node, trie, below: partial.open)
        if isShort, let long = trie.long {
            var rest = PartialMask(mask: mask)
            try machine.fill(&rest, from: node, long, longest: long.longest)
            mask = rest.mask
        }
        if machine.mayEnd(node) {
            for token in endTokens { mask.insert(token) }
        }
        makeRoom()
        masks[key] = mask
        return mask
    }

    /// The certain tokens of a state that stands for others.
    private func partialMask(_ state: Int32, _ trie: TokenTrie, longest: Int, isApart: UInt64)
        throws(GrammarError) -> PartialMask
    {
        let key = UInt64(UInt32(state)) << 2 | (longest < trie.longest ? 2 : 0) | isApart
        if let known = partialMasks[key] { return known }
        var partial = PartialMask(mask: TokenMask(size: vocabulary.size))
        try machine.fill(&partial, from: state, trie, longest: longest)
        makeRoom()
        partialMasks[key] = partial
        return partial
    }

    /// Drops all masks when there is no room for another one.
    private func makeRoom() {
        guard (masks.count + partialMasks.count + 1) * maskBytes > limits.maskBytes else { return }
        masks.removeAll()
        partialMasks.removeAll()
    }

    /// Forgets what can be made again where that has grown large. Only `state` stays valid.
    package func trim(keeping state: inout GrammarState) {
        guard machine.size > limits.kept else { return }
        state.node = machine.forget(keeping: state.node)
        masks.removeAll()
        partialMasks.removeAll()
    }
}
