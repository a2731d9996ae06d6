// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Tandem
import TandemJSON

/// The answers to a conversation.
struct ChatAnswer: AnswerWriter {
    private let head: AnswerHead
    private let wantsLogprobs: Bool
    private var choices: [Choice]
    private(set) var usage = UsageCount()
    /// The parts of a stream's events around the index, the text and the log-probabilities.
    private let eventStart: String
    private let eventEnd: String

    private static let chunk = "chat.completion.chunk"

    private struct Choice: Sendable {
        var text = ""
        var calls: [ToolCall] = []
        var logprobs: [JSONValue] = []
        var finish: JSONValue = .null
        /// Nil when the request offers no tools.
        var parser: ToolCallParser?
    }

    /// - Parameter parser: tells calls of functions from text; nil when the request offers none.
    init(_ head: AnswerHead, choices: Int, wantsLogprobs: Bool, parser: ToolCallParser?) {
        self.head = head
        self.wantsLogprobs = wantsLogprobs
        self.choices = Array(repeating: Choice(parser: parser), count: choices)
        (eventStart, eventEnd) = head.eventFrame(object: Self.chunk)
    }

    mutating func open(into buffer: inout ByteBuffer) {
        for index in choices.indices {
            event(index, delta: ["role": "assistant", "content": ""], into: &buffer)
        }
    }

    mutating func write(_ delta: GenerationDelta, choice index: Int, into buffer: inout ByteBuffer) {
        let logprobs = wantsLogprobs ? head.logprobs(of: delta.tokens) : []
        choices[index].logprobs += logprobs
        guard choices[index].parser != nil else {
            choices[index].text += delta.text
            textEvent(index, delta.text, logprobs, into: &buffer)
            return
        }
        let events = choices[index].parser?.append(delta.text) ?? []
        take(events, index, logprobs, into: &buffer)
    }

    mutating func complete(_ result: GenerationResult, choice index: Int, into buffer: inout ByteBuffer) {
        usage.add(result, countsPrompt: index % head.choicesPerPrompt == 0)
        if let events = choices[index].parser?.finish() { take(events, index, [], into: &buffer) }
        let isCall = !choices[index].calls.isEmpty && result.finishReason == .stop
        choices[index].finish = isCall ? "tool_calls" : finishText(result.finishReason)
        event(index, delta: [:], finish: choices[index].finish, into: &buffer)
    }

    mutating func close(into buffer: inout ByteBuffer) {
        head.writeUsageEvent(usage, object: Self.chunk, into: &buffer)
    }

    func response() -> JSONValue {
        var members = head.members(object: "chat.completion")
        members["choices"] = .array(
            choices.enumerated().map { index, choice in
                var message: JSONObject = [
                    "role": "assistant", "content": .string(choice.text), "refusal": .null,
                ]
                if !choice.calls.isEmpty {
                    if choice.text.isEmpty { message["content"] = .null }
                    message["tool_calls"] = .array(
                        choice.calls.enumerated().map { callJSON($1, id: callID(index, $0)) })
                }
                return [
                    "index": .integer(Int64(index)), "message": .object(message),
                    "logprobs": wantsLogprobs ? logprobsJSON(choice.logprobs) : .null,
                    "finish_reason": choice.finish,
                ]
            })
        members["usage"] = usage.json
        return .object(members)
    }

    private mutating func take(
        _ events: [ToolCallParser.Event], _ index: Int, _ logprobs: [JSONValue], into buffer: inout ByteBuffer
    ) {
        var logprobs = logprobs
        for part in events {
            switch part {
            case .text(let text):
                choices[index].text += text
                textEvent(index, text, logprobs, into: &buffer)
                logprobs = []
            case .call(let call):
                let position = choices[index].calls.count
                choices[index].calls.append(call)
                var json = callJSON(call, id: callID(index, position)).objectValue ?? JSONObject()
                json["index"] = .integer(Int64(position))
                event(index, delta: ["tool_calls": [.object(json)]], into: &buffer)
            }
        }
        // Tokens whose text is held back are told all the same.
        if !logprobs.isEmpty { textEvent(index, "", logprobs, into: &buffer) }
    }

    private func callID(_ index: Int, _ position: Int) -> String {
        "call_\(head.id.drop { $0 != "-" }.dropFirst())_\(index)_\(position)"
    }

    private func callJSON(_ call: ToolCall, id: String) -> JSONValue {
        [
            "id": .string(id), "type": "function",
            "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
        ]
    }

    private func logprobsJSON(_ tokens: [JSONValue]) -> JSONValue {
        ["content": .array(tokens), "refusal": .null]
    }

    private func textEvent(
        _ index: Int, _ text: String, _ logprobs: [JSONValue], into buffer: inout ByteBuffer
    ) {
        buffer.writeString(eventStart)
        buffer.writeString("\(index),\"delta\":{\"content\":")
        buffer.writeJSON(text)
        buffer.writeString("},\"logprobs\":")
        buffer.writeJSON(wantsLogprobs ? logprobsJSON(logprobs) : .null)
        buffer.writeString(eventEnd)
    }

    private func event(
        _ index: Int, delta: JSONValue, finish: JSONValue = .null, into buffer: inout ByteBuffer
    ) {
        head.writeChoiceEvent(
            ["index": .integer(Int64(index)), "delta": delta, "logprobs": .null, "finish_reason": finish],
            object: Self.chunk, into: &buffer)
    }
}
