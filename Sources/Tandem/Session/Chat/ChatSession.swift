// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemFormat
public import TandemJSON
public import TandemTokenizer

/// A conversation with a model that follows its chat template.
///
///     let chat = try ChatSession(model: model, instructions: "Answer in one sentence.")
///     let parameters = try GenerateParameters(maxTokens: 200)
///     let answer = try chat.respond(to: "What is a heron?", parameters: parameters) { print($0.text, terminator: "") }
///     let more = try chat.respond(to: "Where does it live?", parameters: parameters)
///
/// Every turn renders the whole conversation with the template; what the session's caches already hold of it is not run
/// again. A turn that fails leaves the conversation as it was.
///
/// Control tokens that are spelt out in messages are plain text to the model: see `Tokenizer.encode(_:)`.
///
/// ## Thread Safety
/// A conversation runs one turn at a time; a second one meanwhile throws ``TandemError/sessionBusy``. Reading and setting
/// its properties is safe from any thread; what is set during a turn counts from the next one on, but for
/// ``messages``, which cannot be set then.
public final class ChatSession: Sendable {
    /// The session whose caches hold the conversation.
    public let session: Session
    /// How the conversation is written.
    public let templates: ChatTemplates
    private let state: Guarded<State>
    private let busy = Atomic<Bool>(false)

    private struct State {
        var instructions: String?
        var messages: [ChatMessage] = []
        var tools: [JSONValue]?
        var variables = JSONObject()
        let time: LocalTime?
    }

    /// Begins a conversation.
    ///
    /// - Parameters:
    ///   - model: the model that answers.
    ///   - templates: how to write it; `nil` = as the model's file says.
    ///   - instructions: the system message; `nil` = none, or the template's own.
    ///   - tools: functions that the model may call, as JSON Schema.
    ///   - variables: further variables of the template, such as `enable_thinking`.
    ///   - time: what templates that write the date are told; it stays the same for the whole conversation.
    ///   - options: of the session that holds the conversation.
    /// - Throws: ``TandemError/noChatTemplate``, ``TandemError/noTokenizer``, and what
    ///   ``TandemModel/makeSession(options:)`` throws.
    public init(
        model: TandemModel, templates: ChatTemplates? = nil, instructions: String? = nil,
        tools: [JSONValue]? = nil, variables: JSONObject = JSONObject(), time: LocalTime? = .now(),
        options: SessionOptions = .default
    ) throws(TandemError) {
        guard model.tokenizer != nil else { throw .noTokenizer }
        if let templates {
            self.templates = templates
        } else {
            guard let own = try model.chatTemplates else { throw .noChatTemplate }
            self.templates = own
        }
        session = try model.makeSession(options: options)
        state = Guarded(State(instructions: instructions, tools: tools, variables: variables, time: time))
    }

    /// The system message; nil = none, or the template's own.
    public var instructions: String? {
        get { state.withLock { $0.instructions } }
        set { state.withLock { $0.instructions = newValue } }
    }

    /// Functions that the model may call.
    public var tools: [JSONValue]? {
        get { state.withLock { $0.tools } }
        set { state.withLock { $0.tools = newValue } }
    }

    /// Further variables of the template.
    public var variables: JSONObject {
        get { state.withLock { $0.variables } }
        set { state.withLock { $0.variables = newValue } }
    }

    /// Questions and answers so far, without the instructions.
    public var messages: [ChatMessage] { state.withLock { $0.messages } }

    /// Replaces the conversation.
    /// - Throws: ``TandemError/sessionBusy``.
    public func setMessages(_ messages: [ChatMessage]) throws(TandemError) {
        try exclusively { () throws(TandemError) in state.withLock { $0.messages = messages } }
    }

    /// The token ids that the model would be given after these messages.
    /// - Throws: ``TandemError/chatTemplate(_:)``.
    public func promptTokens(adding messages: [ChatMessage] = []) throws(TandemError) -> [TokenID] {
        let request = state.withLock { state in
            let system = state.instructions.map { [ChatMessage.system($0)] } ?? []
            return ChatRequest(
                messages: system + state.messages + messages, tools: state.tools,
                variables: state.variables, time: state.time)
        }
        guard let tokenizer = session.model.tokenizer else { throw .noTokenizer }
        return tokenizer.encode(try templates.prompt(request))
    }

    /// Runs `body` while no turn runs.
    func exclusively<R>(_ body: () throws(TandemError) -> R) throws(TandemError) -> R {
        guard !busy.exchange(true, ordering: .acquiringAndReleasing) else { throw .sessionBusy }
        defer { busy.store(false, ordering: .releasing) }
        return try body()
    }

    /// Adds to the conversation; only while no turn runs.
    func append(_ messages: [ChatMessage]) {
        state.withLock { $0.messages += messages }
    }

    /// Takes the last messages off from the answers at the end on; only while no turn runs.
    func removeLastAnswer() -> [ChatMessage] {
        state.withLock { state in
            var removed: [ChatMessage] = []
            while let last = state.messages.last, last.role == "assistant" {
                removed.insert(state.messages.removeLast(), at: 0)
            }
            return removed
        }
    }
}
