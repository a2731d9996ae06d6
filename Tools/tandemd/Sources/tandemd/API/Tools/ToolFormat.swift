// SPDX-License-Identifier: Apache-2.0

import Tandem

/// How a model writes calls of functions, as far as its chat template tells.
enum ToolFormat: String, Sendable {
    /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, any number of them (Hermes, Qwen 2.5, Qwen 3, SmolLM 3).
    case hermes
    /// The whole answer is `{"name": …, "parameters": {…}}` (Llama 3.1 and later).
    case llama
    /// `[TOOL_CALLS]` and an array of `{"name": …, "arguments": {…}}` (Mistral).
    case mistral
    /// Not known: calls stay text.
    case unknown

    /// What the member with a call's arguments is called.
    var argumentsName: String { self == .llama ? "parameters" : "arguments" }

    /// What stands around a call; nil for nothing.
    var envelope: (start: String, end: String)? {
        switch self {
        case .hermes: ("<tool_call>\n", "\n</tool_call>")
        // The mark before the array is a control token, which no text can spell.
        case .mistral: ("[", "]")
        case .llama, .unknown: nil
        }
    }

    init(templates: ChatTemplates?) {
        guard let templates else {
            self = .unknown
            return
        }
        let source = Array((templates.forTools ?? templates.plain).source.utf8)
        func says(_ text: String) -> Bool { source.firstIndex(of: Array(text.utf8)) != nil }
        if says("<tool_call>") {
            // Templates that write calls as tags in tags instead of JSON.
            self = says("<function=") || says("<arg_key>") ? .unknown : .hermes
        } else if says("[TOOL_CALLS]") {
            // Later templates put names before their arguments.
            self = says("[ARGS]") ? .unknown : .mistral
        } else if says("Environment: ipython") || says("<|python_tag|>") {
            self = .llama
        } else {
            self = .unknown
        }
    }
}

/// A call that the model asks for.
struct ToolCall: Sendable, Equatable {
    let name: String
    /// The arguments, as a JSON text.
    let arguments: String
}

extension [UInt8] {
    /// Where `part` begins for the first time at or after `start`.
    func firstIndex(of part: [UInt8], from start: Int = 0) -> Int? {
        guard let first = part.first, count - start >= part.count else { return nil }
        var index = start
        while index + part.count <= count {
            if self[index] == first, self[index..<(index + part.count)].elementsEqual(part) { return index }
            index += 1
        }
        return nil
    }

    /// The length of the longest end of this text with which `part` begins, shorter than `part`.
    func overlap(withStartOf part: [UInt8]) -> Int {
        var length = Swift.min(count, part.count - 1)
        while length > 0, !suffix(length).elementsEqual(part.prefix(length)) { length -= 1 }
        return length
    }
}
