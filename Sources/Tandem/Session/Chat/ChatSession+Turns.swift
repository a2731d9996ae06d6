// SPDX-License-Identifier: Apache-2.0

public import TandemTokenizer

extension ChatSession {
    /// Asks, and returns the answer.
    ///
    /// - Parameters:
    ///   - question: what the user says.
    ///   - parameters: how to answer.
    ///   - cancellation: stops the answer within one layer. What was said by then stays in the conversation; when nothing
    ///     was, the question goes too.
    ///   - onDelta: called with each new piece of the answer.
    /// - Throws: ``TandemError``: ``TandemError/promptTooLong(tokens:contextSize:)`` when the conversation does not fit the
    ///   context any more, ``TandemError/chatTemplate(_:)`` when the template refuses it.
    public func respond(
        to question: String, parameters: GenerateParameters, cancellation: CancellationToken? = nil,
        onDelta: (GenerationDelta) -> Void = { _ in }
    ) throws(TandemError) -> GenerationResult {
        try respond(
            to: [.user(question)], parameters: parameters, cancellation: cancellation, onDelta: onDelta)
    }

    /// Adds messages, such as the results of tools, and returns the answer, as with a question.
    public func respond(
        to messages: [ChatMessage], parameters: GenerateParameters, cancellation: CancellationToken? = nil,
        onDelta: (GenerationDelta) -> Void = { _ in }
    ) throws(TandemError) -> GenerationResult {
        try exclusively { () throws(TandemError) in
            let tokens = try promptTokens(adding: messages)
            let result = try session.generate(
                tokens: tokens, parameters: parameters, cancellation: cancellation, onDelta: onDelta)
            if result.finishReason != .cancelled || !result.text.isEmpty {
                append(messages + [.assistant(result.text)])
            }
            return result
        }
    }

    /// Answers the last question again; the answer before is replaced. With the same parameters and the same seed it is
    /// the same answer.
    ///
    /// - Throws: ``TandemError/emptyPrompt`` when there is no question; else as
    ///   a question does, and then the old answer stays.
    public func regenerate(
        parameters: GenerateParameters, cancellation: CancellationToken? = nil,
        onDelta: (GenerationDelta) -> Void = { _ in }
    ) throws(TandemError) -> GenerationResult {
        try exclusively { () throws(TandemError) in
            let old = removeLastAnswer()
            do throws(TandemError) {
                guard !messages.isEmpty else { throw .emptyPrompt }
                let result = try session.generate(
                    tokens: try promptTokens(), parameters: parameters, cancellation: cancellation,
                    onDelta: onDelta)
                let isEmpty = result.finishReason == .cancelled && result.text.isEmpty
                append(isEmpty ? old : [.assistant(result.text)])
                return result
            } catch {
                append(old)
                throw error
            }
        }
    }

    /// Forgets the conversation; instructions, tools and variables stay.
    /// - Throws: ``TandemError/sessionBusy``.
    public func reset() throws(TandemError) {
        try setMessages([])
        try session.reset()
    }

    /// Asks on a thread of its own, and yields the pieces of the answer, then the result.
    ///
    /// Swift's cooperative threads are never blocked. Ending the iteration early, or cancelling the task that iterates,
    /// cancels the answer; what was said by then stays in the conversation.
    /// - Throws: the stream throws ``TandemError``.
    public func stream(
        to question: String, parameters: GenerateParameters
    ) -> AsyncThrowingStream<Generation, any Error> {
        stream(to: [.user(question)], parameters: parameters)
    }

    /// Adds messages, and answers on a thread of its own, as with a question.
    public func stream(
        to messages: [ChatMessage], parameters: GenerateParameters
    ) -> AsyncThrowingStream<Generation, any Error> {
        .generating { (cancellation, onDelta) throws(TandemError) in
            try self.respond(
                to: messages, parameters: parameters, cancellation: cancellation, onDelta: onDelta)
        }
    }
}
