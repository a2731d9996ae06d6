// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// The form that a request wants its answer in.
enum AnswerForm: Sendable {
    case text
    /// Any JSON object.
    case json
    /// JSON of a schema.
    case schema(JSONValue)
    /// What a grammar in GBNF allows.
    case grammar(String)

    /// Reads `response_format` and `grammar`.
    init(_ fields: Fields) throws(APIError) {
        enum Kind: String, CaseIterable {
            case text
            case json = "json_object"
            case schema = "json_schema"
        }
        let format = try fields.object("response_format")
        let grammar = try fields.string("grammar")
        guard grammar == nil || format == nil else {
            throw .invalid("'grammar' and 'response_format' exclude each other", param: "grammar")
        }
        if let grammar {
            self = .grammar(grammar)
            return
        }
        guard let format else {
            self = .text
            return
        }
        guard let kind = try format.choice("type", as: Kind.self) else {
            throw format.error("type", "'text', 'json_object' or 'json_schema'")
        }
        switch kind {
        case .text: self = .text
        case .json: self = .json
        case .schema:
            guard let schema = try format.object("json_schema")?["schema"] else {
                throw format.error("json_schema.schema", "a JSON Schema")
            }
            self = .schema(schema)
        }
    }
}

/// The log-probabilities that a request asks for: alternatives to every token; nil = none at all.
enum LogprobFields {
    /// `logprobs` and `top_logprobs` of conversations.
    static func chat(_ fields: Fields) throws(APIError) -> Int? {
        let top = try fields.integer("top_logprobs", in: 0...20)
        guard try fields.bool("logprobs") ?? false else {
            guard top == nil else {
                throw .invalid("'top_logprobs' needs 'logprobs': true", param: "top_logprobs")
            }
            return nil
        }
        return top ?? 0
    }

    /// `logprobs` of completions, a number.
    static func completion(_ fields: Fields) throws(APIError) -> Int? {
        try fields.integer("logprobs", in: 0...20)
    }
}
