// SPDX-License-Identifier: Apache-2.0

/// A regular expression of a tokenizer file, with the semantics of the reference implementation (Oniguruma in its Ruby
/// syntax): the leftmost match, alternatives in order, Unicode 16 properties.
///
/// Compiled once; any number of threads may use it. Memory is bounded by ``PatternProgram/maximumInstructions``.
struct SplitPattern: Sendable {
    private let program: PatternProgram

    /// - Throws: a reason that continues "the pattern …".
    init(_ text: String) throws(PatternError) {
        program = try PatternProgram(PatternParser.parse(text))
    }

    private init(_ node: PatternNode) throws(PatternError) {
        program = try PatternProgram(node)
    }

    /// `\w+|[^\w\s]+` with the word characters of Unicode Technical Standard 18.
    static var wordsAndSymbols: SplitPattern {
        get throws(PatternError) {
            let word = ScalarProperty.standardWord
            let symbols = word.union(ScalarProperty.space).inverted
            return try SplitPattern(
                .alternatives([
                    .repeated(.set(word), minimum: 1, maximum: nil, .greedy),
                    .repeated(.set(symbols), minimum: 1, maximum: nil, .greedy),
                ]))
        }
    }

    /// Calls `body` with all matches from the left. They do not overlap; an empty one never follows another match
    /// directly.
    func forEachMatch(_ text: Span<UInt8>, _ body: (Range<Int>) -> Void) {
        var matcher = PatternMatcher(program)
        var position = 0
        var lastEnd = -1
        while position <= text.count, let match = matcher.firstMatch(text, from: position) {
            if match.isEmpty && match.lowerBound == lastEnd {
                guard position < text.count else { return }
                position &+= ScalarReader.length(text[position])
                continue
            }
            body(match)
            position = match.upperBound
            lastEnd = position
        }
    }

    /// Whether the text begins with a match that is not empty.
    func matchesStart(of text: [UInt8]) -> Bool {
        var matcher = PatternMatcher(program)
        return matcher.match(text.span, at: 0) ?? 0 > 0
    }
}
