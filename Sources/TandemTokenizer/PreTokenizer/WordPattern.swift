// SPDX-License-Identifier: Apache-2.0

/// The split patterns of byte-level vocabularies, written as scanners. Every one of them matches at every
/// position, so that a text falls into words without gaps.
enum WordPattern: Sendable, Equatable {
    /// GPT-2, GPT-NeoX, OPT, Phi-2 and StarCoder.
    case gpt2
    /// cl100k and its relatives: Llama 3 (up to three digits a word) and Qwen 2 (one).
    case cl100k(digits: Int, wholeTrailingSpace: Bool, foldsLongS: Bool)
    /// o200k: words also end where upper case follows lower case, and keep their contraction.
    case o200k

    /// The end of the word that starts at `start`, which is inside the text.
    func end(_ text: Span<UInt8>, from start: Int, ascii: [ScalarClass]) -> Int {
        switch self {
        case .gpt2:
            GPT2Scanner.end(text, from: start, ascii: ascii)
        case .cl100k(let digits, let wholeTrailingSpace, let foldsLongS):
            CL100KScanner.end(
                text, from: start, ascii: ascii, digits: digits, wholeTrailingSpace: wholeTrailingSpace,
                foldsLongS: foldsLongS)
        case .o200k:
            O200KScanner.end(text, from: start, ascii: ascii)
        }
    }

    /// The pattern written as this regular expression, or `nil` for any other.
    init?(regex: String) {
        guard let pattern = Self.known[regex] else { return nil }
        self = pattern
    }

    private static let known: [String: WordPattern] = {
        let contractions = ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)"]
        var table: [String: WordPattern] = [:]
        for head in ["'s|'t|'re|'ve|'m|'ll|'d", "'(?:[sdmt]|ll|ve|re)"] {
            table[head + #"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#] = .gpt2
        }
        let spelt = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
        for head in contractions + [spelt] {
            let folds = head != spelt
            for (number, digits) in [(#"\p{N}{1,3}"#, 3), (#"\p{N}"#, 1), (#"\p{N}+"#, Int.max)] {
                for tail in [#"|\s*[\r\n]+|\s+(?!\S)|\s+"#, #"|\s*[\r\n]|\s+(?!\S)|\s+"#] {
                    let plain = #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + number + #"| ?[^\s\p{L}\p{N}]+[\r\n]*"#
                    let greedy = #"|[^\r\n\p{L}\p{N}]?+\p{L}+|"# + number + #"| ?[^\s\p{L}\p{N}]++[\r\n]*"#
                    table[head + plain + tail] = .cl100k(
                        digits: digits, wholeTrailingSpace: false, foldsLongS: folds)
                    table[head + greedy + tail] = .cl100k(
                        digits: digits, wholeTrailingSpace: false, foldsLongS: folds)
                }
            }
        }
        // The reference reads `{1,3}+` as any number of repetitions, not as a possessive `{1,3}`.
        table[
            contractions[1] + #"|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"#
                + #"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"#] = .cl100k(
                digits: .max, wholeTrailingSpace: true, foldsLongS: true)

        let lead = #"[^\r\n\p{L}\p{N}]?"#
        let (upper, lower) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
        let tail = #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        let contraction = contractions[0] + "?"
        table[
            lead + upper + "*" + lower + "+" + contraction + "|" + lead + upper + "+" + lower + "*"
                + contraction + tail] = .o200k
        return table
    }()
}
