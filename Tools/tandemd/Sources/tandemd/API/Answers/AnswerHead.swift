// SPDX-License-Identifier: Apache-2.0

import NIOCore
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

    /// The last event of a stream whose request asks for the numbers of tokens.
    func writeUsageEvent(_ usage: UsageCount, object: String, into buffer: inout ByteBuffer) {
        guard streamsUsage else { return }
        var members = members(object: object)
        members["choices"] = []
        members["usage"] = usage.json
        buffer.writeEvent(.object(members))
    }

    /// A stream's event of the one choice `choice`.
    func writeChoiceEvent(_ choice: JSONValue, object: String, into buffer: inout ByteBuffer) {
        var members = members(object: object)
        members["choices"] = [choice]
        if streamsUsage { members["usage"] = .null }
        buffer.writeEvent(.object(members))
    }

    /// The parts of a stream's events before a choice's index and after its last member.
    func eventFrame(object: String) -> (start: String, end: String) {
        let members = JSONValue.object(members(object: object)).serialized(sortedKeys: false)
        return (
            "data: \(members.dropLast()),\"choices\":[{\"index\":",
            ",\"finish_reason\":null}]\(streamsUsage ? ",\"usage\":null" : "")}\n\n"
        )
    }

    /// A new name for an answer: the prefix and 24 random hexadecimal digits.
    static func makeID(_ prefix: String) -> String {
        var id = prefix
        for _ in 0..<24 { id.append(String(UInt8.random(in: 0..<16), radix: 16)) }
        return id
    }
}
