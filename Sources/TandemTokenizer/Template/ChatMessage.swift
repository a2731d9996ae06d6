// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

/// One message of a conversation, as the members that chat templates read.
///
///     let question = ChatMessage.user("What is a heron?")
///     let call = ChatMessage(role: "assistant", members: ["tool_calls": […]])
///
/// `content` is a text, or a list of parts such as `{"type": "text", "text": …}`. Templates also know `tool_calls`,
/// `tool_call_id`, `name`, `reasoning_content` and what else their models were trained with.
public struct ChatMessage: Sendable, Equatable {
    /// All members; `role` is among them.
    public private(set) var members: JSONObject

    /// A message with a text.
    public init(role: String, content: String) {
        self.init(role: role, members: ["content": .string(content)])
    }

    /// A message with these members besides its role.
    public init(role: String, members: JSONObject) {
        var all: JSONObject = ["role": .string(role)]
        for member in members.members where member.key != "role" { all[member.key] = member.value }
        self.members = all
    }

    /// A message out of a JSON document.
    ///
    /// - Throws: ``TemplateError/invalidInput(reason:)`` when it is no object with a role.
    public init(json: JSONValue) throws(TemplateError) {
        guard case .object(let members) = json else {
            throw .invalidInput(reason: "a message must be an object with its role and content")
        }
        guard case .string? = members["role"] else {
            throw .invalidInput(reason: "a message has no role; add \"role\": \"user\", for example")
        }
        self.members = members
    }

    public static func system(_ content: String) -> ChatMessage { .init(role: "system", content: content) }
    public static func user(_ content: String) -> ChatMessage { .init(role: "user", content: content) }
    public static func assistant(_ content: String) -> ChatMessage {
        .init(role: "assistant", content: content)
    }

    /// Who speaks: `system`, `user`, `assistant`, `tool`, or what the template knows besides.
    public var role: String { members["role"]?.stringValue ?? "" }

    /// The text; nil when the content is missing or made of parts.
    public var content: String? { members["content"]?.stringValue }

    /// The message as a JSON object.
    public var json: JSONValue { .object(members) }
}
