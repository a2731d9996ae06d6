// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer

/// What every object of an answer begins with, and what is needed to tell its tokens.
struct AnswerHead: Sendable {
    let id: String
    let created: Int
    let model: String
    let tokenizer: Tokenizer
    /// Tokens that end a text; they are not told.
    let endTokens: Set<TokenID>
    /// Answers per prompt.
    let choicesPerPrompt: Int
    let streamsUsage: Bool

    /// The members every object begins with.
    func members(object: String) -> JSONObject {
        [
            "id": .string(id), "object": .string(object), "created": .integer(Int64(created)),
            "model": .string(model),
        ]
    }

    /// A new name for an answer: the prefix and 24 random hexadecimal digits.
    static func makeID(_ prefix: String) -> String {
        var id = prefix
        for _ in 0..<24 { id.append(String(UInt8.random(in: 0..<16), radix: 16)) }
        return id
    }
}
