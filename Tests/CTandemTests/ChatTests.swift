// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Testing

@Suite struct ChatTests {
    private static let template =
        "{% for m in messages %}<|endoftext|>{{ m.role }}: {{ m.content }}{% endfor %}"
        + "{% if tools %} {{ tools | length }} tools{% endif %}{{ suffix }}"
        + "{% if add_generation_prompt %}>{% endif %}"
    private let model: OpaquePointer

    init() throws { model = try loadModel() }

    private func freeModel() { #expect(tandem_model_free(model) == TANDEM_OK) }

    /// Calls `body` with one message and options, all of whose texts live until it returns.
    private func withMessage<Result>(
        role: String = "user", content: String = "Hi", members: String? = nil,
        template: String? = template, tools: String? = nil, variables: String? = nil,
        _ body: (inout tandem_chat_message, inout tandem_chat_options) -> Result
    ) -> Result {
        let texts = [role, content, members, template, tools, variables].map { $0.map { strdup($0) } ?? nil }
        defer { for text in texts { free(text) } }
        var message = tandem_chat_message()
        (message.role, message.content, message.members) = (
            UnsafePointer(texts[0]), UnsafePointer(texts[1]), UnsafePointer(texts[2])
        )
        var options = tandem_chat_options()
        options.size = MemoryLayout<tandem_chat_options>.size
        (options.chat_template, options.tools, options.variables) = (
            UnsafePointer(texts[3]), UnsafePointer(texts[4]), UnsafePointer(texts[5])
        )
        return body(&message, &options)
    }

    private func prompt(_ message: inout tandem_chat_message, _ options: inout tandem_chat_options) -> String
    {
        var length = 0
        let first = tandem_chat_prompt(model, &message, 1, &options, nil, 0, &length)
        #expect(first == TANDEM_ERROR_BUFFER_TOO_SMALL)
        var buffer = [CChar](repeating: 1, count: length + 1)
        #expect(
            tandem_chat_prompt(model, &message, 1, &options, &buffer, buffer.count, &length) == TANDEM_OK)
        #expect(text(buffer).utf8.count == length)
        return text(buffer)
    }

    @Test func followsTheTemplate() {
        defer { freeModel() }
        #expect(withMessage { prompt(&$0, &$1) } == "<|endoftext|>user: Hi>")
        #expect(withMessage(tools: "[{}, {}]") { prompt(&$0, &$1) } == "<|endoftext|>user: Hi 2 tools>")
        #expect(
            withMessage(variables: #"{"suffix": "!"}"#) { message, options in
                options.omit_generation_prompt = 1
                return prompt(&message, &options)
            } == "<|endoftext|>user: Hi!")
        #expect(
            withMessage(members: #"{"content": "no", "x": "3"}"#, template: "{{ messages[0].x }}") {
                prompt(&$0, &$1)
            } == "3")
    }

    @Test func spelledOutControlTokensAreText() {
        defer { freeModel() }
        withMessage(content: "<|endoftext|>") { message, options in
            var count = 0
            var ids = [Int32](repeating: -7, count: 64)
            #expect(tandem_chat_tokens(model, &message, 1, &options, &ids, 64, &count) == TANDEM_OK)
            #expect(count == 1 + "user: ".utf8.count + "<|endoftext|>".utf8.count + 1)
            #expect(ids.prefix(count).filter { $0 == 0 }.count == 1)
            #expect(ids.first == 0)
        }
    }

    @Test func whatIsWrongIsNamed() {
        defer { freeModel() }
        func refusal(
            members: String? = nil, template: String? = Self.template, tools: String? = nil,
            variables: String? = nil, count: Int = 1,
            _ change: (inout tandem_chat_message, inout tandem_chat_options) -> Void = { _, _ in }
        ) -> (Int32, String) {
            withMessage(members: members, template: template, tools: tools, variables: variables) {
                change(&$0, &$1)
                var length = 9
                let status = tandem_chat_prompt(model, &$0, count, &$1, nil, 0, &length)
                #expect(length == 0)
                return (status, modelError(model))
            }
        }
        #expect(refusal(template: nil).0 == TANDEM_ERROR_UNSUPPORTED)
        #expect(refusal(template: "{% if %}").0 == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(modelError(model).contains("line 1"))
        #expect(refusal(tools: "{}").1.contains("tools must be a list"))
        #expect(refusal(tools: "[").1.contains("tools is no JSON"))
        #expect(refusal(variables: "[]").1.contains("variables must be an object"))
        #expect(refusal(members: "3").1.contains("messages[0].members must be an object"))
        #expect(refusal(count: 0).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal(count: 65_537).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal(count: -1).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { message, _ in message.role = nil }.1.contains("messages[0].role is NULL"))
        #expect(refusal { _, options in options.size = 8 }.0 == TANDEM_ERROR_STRUCT_SIZE)
        var length = 0
        #expect(
            tandem_chat_prompt(model, nil, 1, nil, nil, 0, &length) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_chat_tokens(model, nil, 1, nil, nil, 0, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
    }
}
