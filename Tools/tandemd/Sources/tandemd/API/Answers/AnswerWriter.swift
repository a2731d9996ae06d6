// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Tandem
import TandemJSON

/// Writes an answer, as a stream of events or as one object.
protocol AnswerWriter: Sendable {
    /// The numbers of tokens so far.
    var usage: UsageCount { get }
    /// What a stream begins with.
    mutating func open(into buffer: inout ByteBuffer)
    /// Takes a piece of one of the answers; appends its events to the stream.
    mutating func write(_ delta: GenerationDelta, choice: Int, into buffer: inout ByteBuffer)
    /// Takes the end of one of the answers.
    mutating func complete(_ result: GenerationResult, choice: Int, into buffer: inout ByteBuffer)
    /// What a stream ends with, but for `[DONE]`.
    mutating func close(into buffer: inout ByteBuffer)
    /// The answer as one object.
    func response() -> JSONValue
}

extension ByteBuffer {
    /// Appends one event of a stream.
    mutating func writeEvent(_ value: JSONValue) {
        writeString("data: ")
        writeJSON(value)
        writeString("\n\n")
    }
}

/// What a generation's end is called: `stop`, `length`.
func finishText(_ reason: FinishReason) -> JSONValue { .string(reason.rawValue) }
