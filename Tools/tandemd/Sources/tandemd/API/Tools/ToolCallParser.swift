// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Tells calls of functions from text while an answer arrives.
///
/// Text that may still become a call is held back. What begins as a call and is none is text in the end.
struct ToolCallParser: Sendable {
    /// What a part of the answer turned out to be.
    enum Event: Sendable, Equatable {
        case text(String)
        case call(ToolCall)
    }

    private enum Phase {
        /// Before anything but white space.
        case start
        /// In text.
        case text
        /// In what looks like a call.
        case call
    }

    private let format: ToolFormat
    /// Whether the answer can be nothing but a call, because its grammar allows nothing else.
    private let isForced: Bool
    private var phase = Phase.start
    private var held: [UInt8] = []

    init(format: ToolFormat, isForced: Bool) {
        self.format = format
        self.isForced = isForced
    }

    private static let opening = Array("<tool_call>".utf8)
    private static let closing = Array("</tool_call>".utf8)
    private static let callsMarker = Array("[TOOL_CALLS]".utf8)
    private static let pythonMarker = Array("<|python_tag|>".utf8)

    /// Takes the next piece of the answer.
    mutating func append(_ text: String) -> [Event] {
        held.append(contentsOf: text.utf8)
        if isForced { return [] }
        switch format {
        case .unknown: return release(held.count)
        case .hermes: return scanTags()
        case .llama, .mistral: return scanStart()
        }
    }

    /// Ends the answer.
    mutating func finish() -> [Event] {
        defer { held = [] }
        if isForced || format == .llama || format == .mistral {
            if isForced || phase == .call, let calls = Self.calls(in: untagged), !calls.isEmpty {
                return calls.map { .call($0) }
            }
        } else if format == .hermes, phase == .call {
            // Models may end without the last tag.
            if let calls = Self.calls(in: held), calls.count == 1 { return [.call(calls[0])] }
            held.insert(contentsOf: Self.opening, at: 0)
        }
        return release(held.count)
    }

    /// A forced call without its tags.
    private var untagged: [UInt8] {
        guard format == .hermes, held.starts(with: Self.opening),
            held.suffix(Self.closing.count) == Self.closing[...]
        else { return held }
        return Array(held.dropFirst(Self.opening.count).dropLast(Self.closing.count))
    }

    private mutating func release(_ count: Int) -> [Event] {
        guard count > 0 else { return [] }
        let text = String(decoding: held.prefix(count), as: UTF8.self)
        held.removeFirst(count)
        return [.text(text)]
    }

    /// Text, and calls between tags.
    private mutating func scanTags() -> [Event] {
        var events: [Event] = []
        while true {
            if phase == .call {
                guard let end = held.firstIndex(of: Self.closing) else { return events }
                let body = Array(held[..<end])
                if let calls = Self.calls(in: body), calls.count == 1 {
                    events.append(.call(calls[0]))
                } else {
                    let text = Self.opening + body + Self.closing
                    events.append(.text(String(decoding: text, as: UTF8.self)))
                }
                held.removeFirst(end + Self.closing.count)
                phase = .text
            } else if let start = held.firstIndex(of: Self.opening) {
                // White space before a call belongs to its layout.
                events += release(held[..<start].lastIndex { !Self.isSpace($0) }.map { $0 + 1 } ?? 0)
                held.removeFirst((held.firstIndex(of: Self.opening) ?? 0) + Self.opening.count)
                phase = .call
            } else {
                let safe = held.count - held.overlap(withStartOf: Self.opening)
                events += release(held[..<safe].lastIndex { !Self.isSpace($0) }.map { $0 + 1 } ?? 0)
                return events
            }
        }
    }

    /// Decides by the first characters whether the whole answer is a call.
    private mutating func scanStart() -> [Event] {
        if phase == .start {
            let body = held.drop { Self.isSpace($0) }
            guard let first = body.first else { return [] }
            let marker = format == .llama ? Self.pythonMarker : Self.callsMarker
            if first == (format == .llama ? UInt8(ascii: "{") : UInt8(ascii: "["))
                || body.starts(with: marker)
            {
                phase = .call
            } else if marker.starts(with: body) {
                // The marker may have arrived in part.
                return []
            } else {
                phase = .text
            }
        }
        return phase == .text ? release(held.count) : []
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    /// The calls that a JSON text names: one object, or an array of them.
    private static func calls(in text: [UInt8]) -> [ToolCall]? {
        var body = text.drop { isSpace($0) }
        for marker in [callsMarker, pythonMarker] where body.starts(with: marker) {
            body = body.dropFirst(marker.count)
        }
        guard let value = try? JSONValue(parsing: Array(body)) else { return nil }
        let elements = value.arrayValue ?? [value]
        var calls: [ToolCall] = []
        for element in elements {
            guard let name = element["name"]?.stringValue, !name.isEmpty else { return nil }
            let arguments = element["arguments"] ?? element["parameters"] ?? .object(JSONObject())
            calls.append(
                ToolCall(
                    name: name, arguments: arguments.stringValue ?? arguments.serialized(sortedKeys: false)))
        }
        return calls
    }
}
