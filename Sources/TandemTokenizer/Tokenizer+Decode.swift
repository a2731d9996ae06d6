// SPDX-License-Identifier: Apache-2.0

extension Tokenizer {
    /// The text of tokens. Ids without a token add nothing; bytes that form no valid UTF-8 become U+FFFD.
    ///
    /// - Parameter skipSpecialTokens: leaves control tokens out instead of spelling them.
    public func decode(_ ids: [TokenID], skipSpecialTokens: Bool = true) -> String {
        var start = TextStart(decoder)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ids.count * 4)
        for id in ids {
            if let token = start.bytes(of: id, self, skipSpecialTokens: skipSpecialTokens) {
                bytes.append(contentsOf: token)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A decoder for tokens that arrive one by one.
    ///
    /// - Parameter skipSpecialTokens: leaves control tokens out instead of spelling them.
    public func makeDetokenizer(skipSpecialTokens: Bool = true) -> StreamingDetokenizer {
        StreamingDetokenizer(tokenizer: self, skipSpecialTokens: skipSpecialTokens)
    }
}
