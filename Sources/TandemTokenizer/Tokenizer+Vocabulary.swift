// SPDX-License-Identifier: Apache-2.0

extension Tokenizer {
    /// One more than the largest id, added tokens included: the least number of rows an embedding must have.
    public var vocabularySize: Int { vocabulary.idLimit }

    /// The id of a token spelt as in the vocabulary (`Ġthe`, `▁the`, `<|endoftext|>`).
    public func id(of token: String) -> TokenID? {
        vocabulary.find(token)
    }

    /// A token as the vocabulary spells it; `nil` when no token has this id.
    public func token(_ id: TokenID) -> String? {
        vocabulary.contains(id) ? vocabulary.text(of: id) : nil
    }

    /// The bytes a token adds in the middle of a text; empty when no token has this id. They need not be
    /// valid UTF-8 on their own.
    public func bytes(of id: TokenID) -> [UInt8] {
        Array(decodedBytes(of: id, isFirst: false))
    }

    /// Whether ``textBytes(of:isFirst:)`` may differ for the first token of a text.
    package var treatsFirstTokenApart: Bool {
        decoder.treatsFirstTokenApart || decoder.stripStart != nil || !decoder.separator.isEmpty
    }

    /// The bytes that a token adds to the text that ``makeDetokenizer(skipSpecialTokens:)`` gives; empty for control
    /// tokens, and when no token has this id.
    package func textBytes(of id: TokenID, isFirst: Bool) -> [UInt8] {
        if isFirst {
            var start = TextStart(decoder)
            return start.bytes(of: id, self, skipSpecialTokens: true).map(Array.init) ?? []
        }
        guard vocabulary.contains(id), !isSpecial(id) else { return [] }
        return decoder.separator + decodedBytes(of: id, isFirst: false)
    }

    /// Whether a token is a control token, such as an end-of-text mark, rather than text.
    public func isSpecial(_ id: TokenID) -> Bool {
        specialTokens.contains(id)
    }
}
