// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
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

    var isText: Bool {
        if case .text = self { true } else { false }
    }

    /// The grammar of such answers; nil where any text will do.
    /// - Throws: 400 that says what in a schema or grammar is wrong or not supported, and where.
    func grammar() throws(APIError) -> Grammar? {
        switch self {
        case .text: return nil
        case .json: return .json
        case .schema(let schema):
            do {
                return try Grammar(jsonSchema: schema)
            } catch {
                throw .invalid(
                    error.description, param: "response_format.json_schema.schema", code: "invalid_schema")
            }
        case .grammar(let text):
            do {
                return try Grammar(gbnf: text)
            } catch {
                throw .invalid(error.description, param: "grammar", code: "invalid_grammar")
            }
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
