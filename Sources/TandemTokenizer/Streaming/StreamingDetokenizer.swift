// SPDX-License-Identifier: Apache-2.0

/// Turns tokens into text as they come.
///
///     var detokenizer = tokenizer.makeDetokenizer()
///     for id in ids { write(detokenizer.append(id)) }
///     write(detokenizer.finish())
///
/// Each call yields what is new. All deltas together are what ``Tokenizer/decode(_:skipSpecialTokens:)``
/// gives for the same tokens. A scalar that is spread over several tokens comes with the last of them.
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecialTokens: Bool
    private var assembler = UTF8Assembler()
    private var start: TextStart

    init(tokenizer: Tokenizer, skipSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        self.skipSpecialTokens = skipSpecialTokens
        start = TextStart(tokenizer.decoder)
    }

    /// The text that this token adds; empty while a scalar is incomplete, and for ids without a token.
    public mutating func append(_ id: TokenID) -> String {
        guard let bytes = start.bytes(of: id, tokenizer, skipSpecialTokens: skipSpecialTokens) else {
            return ""
        }
        return assembler.append(bytes)
    }

    /// The text of the bytes that are held back. The next token starts a new text.
    public mutating func finish() -> String {
        start = TextStart(tokenizer.decoder)
        return assembler.finish()
    }
}

/// Knows how much of a text's start is still to be treated apart.
struct TextStart: Sendable {
    private var isFirst = true
    private var stripScalar: [UInt8]
    private var stripRemaining: Int

    init(_ decoder: TokenDecoder) {
        stripScalar = decoder.stripStart?.scalar ?? []
        stripRemaining = decoder.stripStart?.count ?? 0
    }

    /// The bytes that `id` adds to the text, or `nil` when it adds none because it is skipped or no token.
    mutating func bytes(
        of id: TokenID, _ tokenizer: Tokenizer, skipSpecialTokens: Bool
    ) -> ArraySlice<UInt8>? {
        guard tokenizer.vocabulary.contains(id), !(skipSpecialTokens && tokenizer.isSpecial(id)) else {
            return nil
        }
        var bytes = tokenizer.decodedBytes(of: id, isFirst: isFirst)
        if !isFirst && !tokenizer.decoder.separator.isEmpty {
            bytes = ArraySlice(tokenizer.decoder.separator + bytes)
        }
        isFirst = false
        while stripRemaining > 0 && !bytes.isEmpty {
            guard bytes.starts(with: stripScalar) else {
                stripRemaining = 0
                break
            }
            bytes = bytes.dropFirst(stripScalar.count)
            stripRemaining -= 1
        }
        return bytes
    }
}
