// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Tandem
import TandemJSON

/// The continuations of texts.
struct CompletionAnswer: AnswerWriter {
    private let head: AnswerHead
    private let wantsLogprobs: Bool
    private var choices: [Choice]
    private(set) var usage = UsageCount()
    /// The parts of a stream's events around the index and the text.
    private let eventStart: String
    private let eventEnd: String

    private static let object = "text_completion"

    private struct Choice: Sendable {
        var text = ""
        var logprobs = CompletionLogprobs()
        var finish: JSONValue = .null
    }

    init(_ head: AnswerHead, choices: Int, wantsLogprobs: Bool) {
        self.head = head
        self.wantsLogprobs = wantsLogprobs
        self.choices = Array(repeating: Choice(), count: choices)
        (eventStart, eventEnd) = head.eventFrame(object: Self.object)
    }

    mutating func open(into buffer: inout ByteBuffer) {}

    mutating func write(_ delta: GenerationDelta, choice index: Int, into buffer: inout ByteBuffer) {
        choices[index].text += delta.text
        var logprobs = JSONValue.null
        if wantsLogprobs {
            var piece = CompletionLogprobs(offset: choices[index].logprobs.end)
            piece.append(delta.tokens, head)
            choices[index].logprobs.append(piece)
            logprobs = piece.json
        }
        buffer.writeString(eventStart)
        buffer.writeString("\(index),\"text\":")
        buffer.writeJSON(delta.text)
        buffer.writeString(",\"logprobs\":")
        buffer.writeJSON(logprobs)
        buffer.writeString(eventEnd)
    }

    mutating func complete(_ result: GenerationResult, choice index: Int, into buffer: inout ByteBuffer) {
        usage.add(result, countsPrompt: index % head.choicesPerPrompt == 0)
        choices[index].finish = finishText(result.finishReason)
        head.writeChoiceEvent(
            choiceJSON(index, text: "", logprobs: .null, finish: choices[index].finish), object: Self.object,
            into: &buffer)
    }

    mutating func close(into buffer: inout ByteBuffer) {
        head.writeUsageEvent(usage, object: Self.object, into: &buffer)
    }

    func response() -> JSONValue {
        var members = head.members(object: Self.object)
        members["choices"] = .array(
            choices.enumerated().map { index, choice in
                choiceJSON(
                    index, text: choice.text, logprobs: wantsLogprobs ? choice.logprobs.json : .null,
                    finish: choice.finish)
            })
        members["usage"] = usage.json
        return .object(members)
    }

    private func choiceJSON(_ index: Int, text: String, logprobs: JSONValue, finish: JSONValue) -> JSONValue {
        [
            "index": .integer(Int64(index)), "text": .string(text), "logprobs": logprobs,
            "finish_reason": finish,
        ]
    }
}

/// Log-probabilities as completions tell them: lists side by side.
struct CompletionLogprobs: Sendable {
    private var tokens: [JSONValue] = []
    private var values: [JSONValue] = []
    private var alternatives: [JSONValue] = []
    private var offsets: [JSONValue] = []
    /// Where the next token begins, in Unicode scalars from the start of the answer.
    private(set) var end: Int

    init(offset: Int = 0) { end = offset }

    /// Adds tokens; end tokens are left out.
    mutating func append(_ generated: [GeneratedToken], _ head: AnswerHead) {
        for token in generated {
            guard let logprob = token.logprob, !head.endTokens.contains(token.id) else { continue }
            let text = head.text(of: token.id, token.bytes)
            tokens.append(.string(text))
            values.append(.number(Double(logprob)))
            var best: JSONObject = [text: .number(Double(logprob))]
            for other in token.top {
                let key = head.text(of: other.id, other.bytes)
                // Tokens with the same text: the first is the more probable one.
                if best[key] == nil { best[key] = .number(Double(other.logprob)) }
            }
            alternatives.append(.object(best))
            offsets.append(.integer(Int64(end)))
            end += text.unicodeScalars.count
        }
    }

    /// Adds what follows.
    mutating func append(_ other: CompletionLogprobs) {
        tokens += other.tokens
        values += other.values
        alternatives += other.alternatives
        offsets += other.offsets
        end = other.end
    }

    var json: JSONValue {
        [
            "tokens": .array(tokens), "token_logprobs": .array(values), "top_logprobs": .array(alternatives),
            "text_offset": .array(offsets),
        ]
    }
}
