// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Tandem
import TandemJSON
import TandemTokenizer

extension Call {
    /// `POST /tokenize`: the tokens of a text (`content`), or of a conversation as the model would get it (`messages`).
    func tokenize() async throws -> Response {
        let activity = try daemon.enter()
        defer { withExtendedLifetime(activity) {} }
        let fields = try await fields()
        let lease = try await daemon.host(fields).lease()
        let answer = try await daemon.threads.prepare { try tokens(fields, lease.loaded) }
        return reply(answer)
    }

    private func tokens(_ fields: Fields, _ loaded: LoadedModel) throws(APIError) -> JSONValue {
        let ids: [TokenID]
        if fields["messages"] != nil {
            let tools = try ToolFields(fields)
            ids = try loaded.tokens(of: try ChatFields(fields, tools: tools.tools).request)
        } else {
            let content = try fields.string("content")
            let prompt = try fields.string("prompt")
            guard let text = content ?? prompt else {
                throw fields.error("content", "a string")
            }
            let addsSpecial = try fields.bool("add_special") ?? false
            let parsesSpecial = try fields.bool("parse_special") ?? true
            if addsSpecial && parsesSpecial {
                do {
                    ids = try loaded.model.tokenize(text)
                } catch {
                    throw APIError(error)
                }
            } else {
                ids = loaded.tokenizer.encode(
                    text, addSpecialTokens: addsSpecial, parseSpecial: parsesSpecial)
            }
        }
        let numbers = ids.map { JSONValue.integer(Int64($0)) }
        var members: JSONObject = ["tokens": .array(numbers), "count": .integer(Int64(ids.count))]
        if try fields.bool("with_pieces") ?? false {
            members["tokens"] = .array(
                ids.map { id in
                    let bytes = loaded.tokenizer.bytes(of: id)
                    // A part of a character has no text of its own.
                    let piece = String(validating: bytes, as: UTF8.self).map { JSONValue.string($0) }
                    return [
                        "id": .integer(Int64(id)),
                        "piece": piece ?? .array(bytes.map { .integer(Int64($0)) }),
                    ]
                })
        }
        return .object(members)
    }

    /// `POST /detokenize`: the text of tokens.
    func detokenize() async throws -> Response {
        let activity = try daemon.enter()
        defer { withExtendedLifetime(activity) {} }
        let fields = try await fields()
        let lease = try await daemon.host(fields).lease()
        let text = try await daemon.threads.prepare { () throws -> String in
            guard let elements = try fields.array("tokens") else {
                throw fields.error("tokens", "an array of token ids")
            }
            let ids = try PromptFields.ids(elements, fields, "tokens", lease.loaded.model)
            let skipsSpecial = try fields.bool("skip_special") ?? false
            return lease.loaded.tokenizer.decode(ids, skipSpecialTokens: skipsSpecial)
        }
        return reply(["content": .string(text)])
    }
}
