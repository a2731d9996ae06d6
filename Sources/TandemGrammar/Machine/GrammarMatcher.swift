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

    package init(grammar: Grammar, vocabulary: GrammarVocabulary, endTokens: Set<Int32>) {
        self.grammar = grammar
        self.vocabulary = vocabulary
        self.endTokens = endTokens
        machine = ByteMachine(grammar.tables)
    }

    /// The state before the first token.
    package func start() throws(GrammarError) -> GrammarState {
        machine.beginWork()
        return GrammarState(matcher: self, node: try machine.start(), isFirst: true)
    }

    /// Bytes that the matcher holds, about.
    package var byteCount: Int { machine.size * 16 + masks.count * maskBytes }

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
        let isApart = isFirst && vocabulary.first !== vocabulary.inside
        let key = UInt64(UInt32(node)) << 1 | (isApart ? 1 : 0)
        if let known = masks[key] { return known }
        machine.beginWork()
        var mask = TokenMask(size: vocabulary.size)
        try machine.fill(&mask, from: node, trie(isFirst: isFirst))
        if machine.mayEnd(node) {
            for token in endTokens { mask.insert(token) }
        }
        if (masks.count + 1) * maskBytes > GrammarLimits.maskBytes { masks.removeAll() }
        masks[key] = mask
        return mask
    }

    /// Forgets what can be made again where that has grown large. Only `state` stays valid.
    package func trim(keeping state: inout GrammarState) {
        guard machine.size > GrammarLimits.kept else { return }
        state.node = machine.forget(keeping: state.node)
        masks.removeAll()
    }
}
