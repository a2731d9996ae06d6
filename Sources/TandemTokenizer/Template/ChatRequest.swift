// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

/// What a chat template renders: the conversation and all that goes with it.
public struct ChatRequest: Sendable, Equatable {
    /// The conversation so far.
    public var messages: [ChatMessage]
    /// Descriptions of functions that the model may call, as JSON Schema; nil when there are none.
    public var tools: [JSONValue]?
    /// Documents that the model may quote; nil when there are none.
    public var documents: [JSONValue]?
    /// Whether the text ends with what makes the model answer.
    public var addsGenerationPrompt: Bool
    /// Whether the last message is to be continued: the text then ends inside it.
    public var continuesFinalMessage: Bool
    /// Further variables, such as `bos_token`, `eos_token` and `enable_thinking`.
    public var variables: JSONObject
    /// What `strftime_now` formats; nil refuses templates that ask for it.
    public var time: LocalTime?

    public init(
        messages: [ChatMessage], tools: [JSONValue]? = nil, documents: [JSONValue]? = nil,
        addsGenerationPrompt: Bool = true, continuesFinalMessage: Bool = false,
        variables: JSONObject = JSONObject(), time: LocalTime? = nil
    ) {
        self.messages = messages
        self.tools = tools
        self.documents = documents
        self.addsGenerationPrompt = addsGenerationPrompt
        self.continuesFinalMessage = continuesFinalMessage
        self.variables = variables
        self.time = time
    }
}
