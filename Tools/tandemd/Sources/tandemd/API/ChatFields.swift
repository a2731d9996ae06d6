// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON
import TandemTokenizer

/// The conversation of a request to `/v1/chat/completions`.
struct ChatFields: Sendable {
    /// Messages, tools and variables, as the chat template gets them.
    let request: ChatRequest

    static let mostMessages = 4096

    /// - Throws: 400 that names the message.
    init(_ fields: Fields, tools: [JSONValue]?) throws(APIError) {
        guard let messages = try fields.array("messages"), !messages.isEmpty else {
            throw .invalid("'messages' must be an array with at least one message", param: "messages")
        }
        guard messages.count <= Self.mostMessages else {
            throw fields.error("messages", "an array of at most \(Self.mostMessages) messages")
        }
        if let modalities = fields["modalities"], modalities != ["text"] {
            throw .unsupported(
                "modalities", "the model answers with text only; 'modalities' must be [\"text\"]")
        }
        if fields["audio"] != nil { throw .unsupported("audio", "the model answers with text only") }
        var variables = try fields.object("chat_template_kwargs")?.object ?? JSONObject()
        if let effort = try fields.string("reasoning_effort") {
            variables["reasoning_effort"] = .string(effort)
        }
        request = ChatRequest(
            messages: try messages.enumerated().map { (index, message) throws(APIError) in
                try Self.message(message, "messages.\(index)")
            },
            tools: tools, variables: variables, time: LocalTime.now())
    }

    private static func message(_ value: JSONValue, _ path: String) throws(APIError) -> ChatMessage {
        guard case .object(let object) = value else {
            throw .invalid("'\(path)' must be an object with a role and content", param: path)
        }
        let fields = Fields(object, path: path + ".")
        guard let role = try fields.string("role"), !role.isEmpty else {
            throw fields.error("role", "'system', 'user', 'assistant' or 'tool'")
        }
        var members = JSONObject()
        for member in object.members where !member.value.isNull { members[member.key] = member.value }
        if let text = try content(fields) {
            members["content"] = .string(text)
        } else {
            guard role == "assistant", fields["tool_calls"] != nil else {
                throw fields.error("content", "a string or an array of text parts")
            }
            members["content"] = ""
        }
        if let calls = try fields.array("tool_calls") {
            members["tool_calls"] = .array(
                try calls.enumerated().map { (index, call) throws(APIError) in
                    try toolCall(call, "\(path).tool_calls.\(index)")
                })
        }
        return ChatMessage(role: role == "developer" ? "system" : role, members: members)
    }

    /// The text of a message; its parts joined.
    private static func content(_ fields: Fields) throws(APIError) -> String? {
        guard let value = fields["content"] else { return nil }
        if let text = value.stringValue { return text }
        guard let parts = value.arrayValue else {
            throw fields.error("content", "a string or an array of text parts")
        }
        var text = ""
        for (index, part) in parts.enumerated() {
            guard case .object(let object) = part else {
                throw fields.error("content.\(index)", "an object with a type")
            }
            let part = Fields(object, path: "\(fields.path)content.\(index).")
            guard try part.string("type") == "text" else {
                throw part.error("type", "'text'; the model reads text only")
            }
            guard let piece = try part.string("text") else { throw part.error("text", "a string") }
            text += piece
        }
        return text
    }

    /// A call of an earlier answer. Its arguments are a JSON text, of which templates want the value.
    private static func toolCall(_ value: JSONValue, _ path: String) throws(APIError) -> JSONValue {
        guard case .object(var object) = value, case .object(var function)? = object["function"],
            function["name"]?.stringValue != nil
        else {
            throw .invalid("'\(path)' must be an object with a function and its name", param: path)
        }
        if let text = function["arguments"]?.stringValue,
            let parsed = try? JSONValue(parsing: Array(text.utf8)),
            case .object = parsed
        {
            function["arguments"] = parsed
        }
        object["function"] = .object(function)
        return .object(object)
    }
}
