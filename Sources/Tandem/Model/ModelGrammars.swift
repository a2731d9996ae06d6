// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemGrammar
internal import TandemTokenizer

/// What a model keeps for generations under grammars: the bytes of its tokens, made when they are needed first, and the
/// matchers of the last grammars with what they have learnt.
///
/// All of it counts in a memory plan, once it is there: for every matcher at a time the plan gives up a share of the budget,
/// which no matcher exceeds.
///
/// Thread safety: any thread. The lock is never held while something is made.
final class ModelGrammars: Sendable {
    /// Matchers kept between generations.
    private static let idleLimit = 4
    /// A matcher that has grown beyond this share of its limit is not kept.
    private static let keptShare = 2

    private struct State {
        var vocabulary: GrammarVocabulary?
        /// Whether the plan has memory for the vocabulary.
        var isVocabularyPlanned = false
        /// The one used last comes last.
        var idle: [IdleMatcher] = []
        /// Matchers that there are, and that the plan has memory for.
        var count = 0
        var plannedCount = 0
    }

    /// A matcher that no generation has: taking it from the list hands it over.
    private struct IdleMatcher: @unchecked Sendable {
        let matcher: GrammarMatcher
    }

    private let state = Guarded(State())

    /// A matcher for one generation; to be given back.
    /// - Parameter endTokens: those that may end the generation.
    /// - Throws: ``TandemError/noTokenizer``; ``TandemError/memoryBudgetTooSmall(budgetBytes:leastBytes:largest:)`` when the
    ///   plan has no room for one.
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
        try reserve(in: model)
        do {
            return GrammarMatcher(
                grammar: grammar, vocabulary: try vocabulary(of: model), endTokens: endTokens,
                memoryLimit: Self.matcherBytes(model))
        } catch {
            state.withLock { $0.count -= 1 }
            throw error
        }
    }

    func giveBack(_ matcher: GrammarMatcher, model: TandemModel) {
        let idle = IdleMatcher(matcher: matcher)
        let isSmall = matcher.byteCount <= Self.matcherBytes(model) / Self.keptShare
        state.withLock { state in
            guard isSmall else {
                state.count -= 1
                return
            }
            state.idle.append(idle)
            if state.idle.count > Self.idleLimit {
                state.idle.removeFirst()
                state.count -= 1
            }
        }
    }

    /// Bytes of memory that a matcher may take: a share of the budget.
    private static func matcherBytes(_ model: TandemModel) -> Int {
        let budget = model.memoryPlan.budgetBytes ?? .max
        return min(max(1 << 20, budget / 32), 32 << 20)
    }

    /// Bytes of the vocabulary, and of what making it takes.
    private static func vocabularyBytes(_ model: TandemModel) -> Int {
        let kinds = model.tokenizer?.treatsFirstTokenApart ?? false ? 2 : 1
        return model.manifest.primary.vocabularySize * 96 * kinds
    }

    /// Counts a matcher that is to be made: in the place of an idle one, or with memory that the plan gives up.
    private func reserve(in model: TandemModel) throws(TandemError) {
        let missing: (vocabulary: Bool, matcher: Bool) = state.withLock { state in
            state.count += 1
            if state.count > state.plannedCount, !state.idle.isEmpty {
                state.idle.removeFirst()
                state.count -= 1
            }
            let missing = (!state.isVocabularyPlanned, state.count > state.plannedCount)
            if missing.0 { state.isVocabularyPlanned = true }
            if missing.1 { state.plannedCount += 1 }
            return missing
        }
        let bytes =
            (missing.vocabulary ? Self.vocabularyBytes(model) : 0)
            + (missing.matcher ? Self.matcherBytes(model) : 0)
        guard bytes > 0 else { return }
        do {
            try model.core.reserveGrammar(bytes)
        } catch {
            state.withLock { state in
                state.count -= 1
                if missing.vocabulary { state.isVocabularyPlanned = false }
                if missing.matcher { state.plannedCount -= 1 }
            }
            throw error
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
