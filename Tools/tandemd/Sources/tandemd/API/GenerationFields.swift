// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON

/// What completions and conversations ask for alike.
struct GenerationFields: Sendable {
    let sampling: SamplingFields
    /// Tokens at most, as asked for.
    let maxTokens: Int?
    let stop: [String]
    let ignoresEndTokens: Bool
    /// Answers to every prompt.
    let choices: Int
    let streams: Bool
    /// Whether a stream ends with the numbers of tokens.
    let streamsUsage: Bool
    let isBackground: Bool

    /// Answers that one request may ask for.
    static let mostChoices = 16
    /// Stop texts that one request may give.
    static let mostStops = 16

    /// - Parameter priority: the value of the header `X-Tandem-Priority`, if there is one.
    init(_ fields: Fields, defaults: JSONObject, priority: String?) throws(APIError) {
        sampling = try SamplingFields(fields, defaults: defaults)
        let most = try fields.integer("max_completion_tokens", in: 0...Int.max)
        let mostBefore = try fields.integer("max_tokens", in: 0...Int.max)
        maxTokens = most ?? mostBefore
        stop = try Self.stops(fields)
        ignoresEndTokens = try fields.bool("ignore_eos") ?? false
        choices = try fields.integer("n", in: 1...Self.mostChoices) ?? 1
        streams = try fields.bool("stream") ?? false
        let options = try fields.object("stream_options")
        guard options == nil || streams else {
            throw .invalid("'stream_options' is only allowed when 'stream' is true", param: "stream_options")
        }
        streamsUsage = try options?.bool("include_usage") ?? false
        isBackground = try Self.isBackground(fields, priority)
    }

    private static func stops(_ fields: Fields) throws(APIError) -> [String] {
        let expected = "a string or an array of up to \(mostStops) strings, none of them empty"
        guard let value = fields["stop"] else { return [] }
        if let text = value.stringValue {
            guard !text.isEmpty else { throw fields.error("stop", expected) }
            return [text]
        }
        guard let elements = value.arrayValue, elements.count <= mostStops else {
            throw fields.error("stop", expected)
        }
        var stops: [String] = []
        for element in elements {
            guard let text = element.stringValue, !text.isEmpty else { throw fields.error("stop", expected) }
            stops.append(text)
        }
        return stops
    }

    /// Whether a request may wait for others, by its member `priority` or the header.
    static func isBackground(_ fields: Fields, _ header: String?) throws(APIError) -> Bool {
        enum Priority: String, CaseIterable { case interactive, background }
        if let priority = try fields.choice("priority", as: Priority.self) { return priority == .background }
        guard let header else { return false }
        guard let priority = Priority(rawValue: header) else {
            throw .invalid("the header X-Tandem-Priority must be 'interactive' or 'background'")
        }
        return priority == .background
    }
}
