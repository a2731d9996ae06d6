// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemGrammar
internal import TandemTokenizer

/// What a model keeps for generations under grammars: the bytes of its tokens, made when they are needed first, and the
/// matchers of the last grammars with what they have learnt.
///
/// Thread safety: any thread. The lock is never held while something is made.
final class ModelGrammars: Sendable {
    /// Matchers kept between generations.
    private static let idleLimit = 4
    /// A matcher that has grown beyond this many bytes is not kept.
    private static let keptBytes = 16 << 20

    private struct State {
        var vocabulary: GrammarVocabulary?
        /// The one used last comes last.
        var idle: [IdleMatcher] = []
    }

    /// A matcher that no generation has: taking it from the list hands it over.
    private struct IdleMatcher: @unchecked Sendable {
        let matcher: GrammarMatcher
    }

    private let state = Mutex(State())

    /// A matcher for one generation; to be given back.
    /// - Parameter endTokens: those that may end the generation.
    func matcher(_ grammar: Grammar, endTokens: Set<TokenID>, model: TandemModel) throws(TandemError)
        -> GrammarMatcher
    {
        let known: IdleMatcher? = state.withLock { state in
            let place = state.idle.lastIndex {
                $0.matcher.grammar == grammar && $0.matcher.endTokens == endTokens
            }
            return place.map { state.idle.remove(at: $0) }
        }
        if let known { return known.matcher }
        return GrammarMatcher(
            grammar: grammar, vocabulary: try vocabulary(of: model), endTokens: endTokens)
    }

    func giveBack(_ matcher: GrammarMatcher) {
        guard matcher.byteCount <= Self.keptBytes else { return }
        let idle = IdleMatcher(matcher: matcher)
        state.withLock { state in
            state.idle.append(idle)
            if state.idle.count > Self.idleLimit { state.idle.removeFirst() }
        }
    }

    /// The bytes of the model's tokens; control and end tokens have none.
    func vocabulary(of model: TandemModel) throws(TandemError) -> GrammarVocabulary {
        if let known = state.withLock({ $0.vocabulary }) { return known }
        guard let tokenizer = model.tokenizer else { throw .noTokenizer }
        let ends = model.endTokens
        let bytes = { (id: TokenID, isFirst: Bool) in
            ends.contains(id) ? [] : tokenizer.textBytes(of: id, isFirst: isFirst)
        }
        let made = GrammarVocabulary(
            size: model.manifest.primary.vocabularySize, bytes: { bytes($0, false) },
            firstBytes: tokenizer.treatsFirstTokenApart ? { bytes($0, true) } : nil)
        // Who was first wins; the same either way.
        return state.withLock { state in
            let vocabulary = state.vocabulary ?? made
            state.vocabulary = vocabulary
            return vocabulary
        }
    }
}
