// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Testing

@Suite struct GrammarTests: SessionSuite {
    let model: OpaquePointer
    let session: OpaquePointer

    init() throws {
        model = try loadModel()
        session = try makeSession(model)
    }

    private func generate(grammar: String? = nil, schema: String? = nil) -> (status: Int32, text: String) {
        var options = generateOptions(maxTokens: 60)
        options.ignore_end_tokens = 0
        let texts = [grammar, schema].map { $0.map { strdup($0) } ?? nil }
        defer { for text in texts { free(text) } }
        (options.grammar, options.json_schema) = (UnsafePointer(texts[0]), UnsafePointer(texts[1]))
        let sink = TextSink()
        let status = tandem_generate(session, "a", 1, &options, receiveText, sink.pointer, nil)
        return (status, sink.text)
    }

    @Test func textsFollowTheGrammar() {
        defer { freeAll() }
        #expect(generate(grammar: #"root ::= "yes" | "no""#).text.wholeMatch(of: /yes|no/) != nil)
        let schema = #"{"type": "array", "items": {"enum": [1, 2]}, "minItems": 2, "maxItems": 3}"#
        #expect(generate(schema: schema).text.wholeMatch(of: /\s*\[[12, \n\t]*\]\s*/) != nil)
    }

    @Test func whatIsWrongIsNamed() {
        defer { freeAll() }
        #expect(generate(grammar: "root ::= (").status == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(sessionError(session).contains("line 1"))
        #expect(generate(schema: "{").status == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(sessionError(session).contains("json_schema is no JSON"))
        #expect(generate(schema: #"{"type": "thing"}"#).status == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(generate(grammar: "root ::= \"a\"", schema: "{}").status == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(sessionError(session).contains("both"))
    }
}
