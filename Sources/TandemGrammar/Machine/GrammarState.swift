// SPDX-License-Identifier: Apache-2.0

/// Where a text stands in its grammar. Copies are cheap and go their own ways, so a text is rolled back by keeping one.
///
/// Thread safety: that of its matcher.
package struct GrammarState {
    package let matcher: GrammarMatcher
    var node: Int32
    /// No token has come yet.
    var isFirst: Bool

    /// Whether the text may end here; then the end tokens are allowed.
    package var mayEnd: Bool { matcher.mayEnd(node) }

    /// Whether nothing but the end may follow, or the end has come.
    package var mustEnd: Bool { matcher.mustEnd(node) }

    /// Takes a token; returns whether it was allowed. The state stays as it is when it was not.
    /// - Throws: ``GrammarError/tooComplex(what:limit:)``.
    package mutating func advance(_ token: Int32) throws(GrammarError) -> Bool {
        guard let next = try matcher.advance(node, token, isFirst: isFirst) else { return false }
        node = next
        isFirst = false
        return true
    }

    /// Whether a token may come next, without looking at others.
    /// - Throws: ``GrammarError/tooComplex(what:limit:)``.
    package func allows(_ token: Int32) throws(GrammarError) -> Bool {
        try matcher.advance(node, token, isFirst: isFirst) != nil
    }

    /// All tokens that may come next, end tokens included.
    /// - Throws: ``GrammarError/tooComplex(what:limit:)``.
    package func mask() throws(GrammarError) -> TokenMask {
        try matcher.mask(node, isFirst: isFirst)
    }
}
