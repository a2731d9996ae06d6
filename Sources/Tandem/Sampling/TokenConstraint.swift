// SPDX-License-Identifier: Apache-2.0

internal import TandemGrammar
internal import TandemTokenizer

/// A grammar that a generation obeys, and where its text stands in it. Copies go their own ways: drafts advance one of
/// theirs.
///
/// Thread safety: none; a constraint belongs to one generation.
struct TokenConstraint {
    private var state: GrammarState

    /// - Throws: ``TandemError/grammar(_:)`` for a grammar that is too ambiguous.
    init(_ matcher: GrammarMatcher) throws(TandemError) {
        do {
            state = try matcher.start()
        } catch {
            throw .grammar(error)
        }
    }

    /// Whether nothing but the end may follow.
    var mustEnd: Bool { state.mustEnd }

    /// Takes a token; returns whether it is allowed.
    /// - Throws: ``TandemError/grammar(_:)`` for a grammar that is too ambiguous.
    mutating func advance(_ token: TokenID) throws(TandemError) -> Bool {
        do {
            return try state.advance(token)
        } catch {
            throw .grammar(error)
        }
    }

    /// Whether a token is allowed.
    func allows(_ token: TokenID) throws(TandemError) -> Bool {
        do {
            return try state.allows(token)
        } catch {
            throw .grammar(error)
        }
    }

    /// The tokens that are allowed.
    func mask() throws(TandemError) -> TokenMask {
        do {
            return try state.mask()
        } catch {
            throw .grammar(error)
        }
    }

    /// Bounds the memory of the matcher. Copies are void from then on.
    mutating func trim() { state.matcher.trim(keeping: &state) }
}
