// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemFormat
import TandemTokenizer
import Testing

/// Conversations: what is rendered, what is kept, what is run again.
@Suite("ChatSession") struct ChatSessionTests {
    static let recipe: ModelRecipe = {
        var recipe = ModelRecipe.tandemNear
        recipe.hasTokenizer = true
        recipe.primary.vocabulary = 260
        recipe.primary.positions = 400
        return recipe
    }()
    static let source =
        "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}a:{% endif %}"

    static func chat(
        _ source: String = source, instructions: String? = nil, context: Int? = nil
    ) throws -> ChatSession {
        let model = try EngineFixture(recipe).load()
        return try ChatSession(
            model: model, templates: ChatTemplates(plain: ChatTemplate(source: source)),
            instructions: instructions, options: SessionOptions(contextSize: context))
    }

    static func parameters(_ count: Int = 12) throws -> GenerateParameters {
        try GenerateParameters(maxTokens: count, ignoreEndTokens: true)
    }

    @Test("turns render the whole conversation, and run only what is new")
    func turns() throws {
        let chat = try Self.chat(instructions: "Sys")
        var joined = ""
        let first = try chat.respond(to: "Hi", parameters: Self.parameters()) { joined += $0.text }
        #expect(first.text == joined)
        #expect(first.usage.promptTokens == "s:Sys\nu:Hi\na:".utf8.count)
        #expect(first.usage.cachedPromptTokens == 0)
        #expect(chat.messages == [.user("Hi"), .assistant(first.text)])

        let second = try chat.respond(to: "More", parameters: Self.parameters())
        let text = "s:Sys\nu:Hi\na:\(first.text)\nu:More\na:"
        #expect(second.usage.promptTokens == text.utf8.count)
        #expect(second.usage.cachedPromptTokens >= "s:Sys\nu:Hi\na:".utf8.count)
        // The same as a session that is given the whole text at once.
        let fresh = try EngineFixture(Self.recipe).session()
        #expect(try fresh.generate(text, parameters: Self.parameters()).tokens == second.tokens)
        #expect(chat.messages.count == 4)
    }

    @Test("an answer again replaces the old one")
    func regenerate() throws {
        let chat = try Self.chat()
        #expect(throws: TandemError.emptyPrompt) { try chat.regenerate(parameters: Self.parameters()) }
        let first = try chat.respond(to: "Hi", parameters: Self.parameters())
        let again = try chat.regenerate(parameters: Self.parameters())
        #expect(first.tokens == again.tokens)
        #expect(chat.messages == [.user("Hi"), .assistant(again.text)])
        let shorter = try chat.regenerate(parameters: Self.parameters(5))
        #expect(chat.messages == [.user("Hi"), .assistant(shorter.text)])
        #expect(again.tokens.starts(with: shorter.tokens))
    }

    @Test("a turn that fails leaves the conversation as it was")
    func failures() throws {
        let refusing = try Self.chat(
            Self.source + "{% if messages|length > 2 %}{{ raise_exception('enough') }}{% endif %}")
        _ = try refusing.respond(to: "Hi", parameters: Self.parameters(3))
        let before = refusing.messages
        #expect(throws: TandemError.self) { try refusing.respond(to: "More", parameters: Self.parameters(3)) }
        #expect(refusing.messages == before)

        let small = try Self.chat(context: 20)
        #expect(throws: TandemError.promptTooLong(tokens: 45, contextSize: 20)) {
            try small.respond(to: String(repeating: "x", count: 40), parameters: Self.parameters(3))
        }
        #expect(small.messages.isEmpty)
        #expect(try small.respond(to: "x", parameters: Self.parameters(3)).tokens.count == 3)
    }

    @Test("a cancelled answer stays as far as it came; without any, the question goes too")
    func cancelled() throws {
        let chat = try Self.chat()
        let token = CancellationToken()
        let partial = try chat.respond(to: "Hi", parameters: Self.parameters(300), cancellation: token) { _ in
            token.cancel()
        }
        #expect(partial.finishReason == .cancelled && !partial.text.isEmpty)
        #expect(chat.messages == [.user("Hi"), .assistant(partial.text)])
        let nothing = try chat.respond(to: "More", parameters: Self.parameters(), cancellation: token)
        #expect(nothing.finishReason == .cancelled)
        #expect(chat.messages.count == 2)
        let old = chat.messages
        _ = try chat.regenerate(parameters: Self.parameters(), cancellation: token)
        #expect(chat.messages == old)
    }

    @Test("resetting, setting messages, instructions and variables")
    func state() throws {
        let chat = try Self.chat("{{ note }}" + Self.source)
        _ = try chat.respond(to: "Hi", parameters: Self.parameters(2))
        try chat.reset()
        #expect(chat.messages.isEmpty)
        chat.instructions = "Be"
        chat.variables = ["note": "N"]
        try chat.setMessages([.user("a"), .assistant("b")])
        #expect(try chat.promptTokens() == ByteTokenizer.encode("Ns:Be\nu:a\na:b\na:"))
        #expect(
            try chat.promptTokens(adding: [.user("c")]) == ByteTokenizer.encode("Ns:Be\nu:a\na:b\nu:c\na:"))
    }

    @Test("control tokens in messages are text")
    func controlTokens() throws {
        let chat = try Self.chat("<|endoftext|>" + Self.source)
        let tokens = try chat.promptTokens(adding: [.user("<|endoftext|>")])
        #expect(tokens == [0] + ByteTokenizer.encode("u:<|endoftext|>\na:"))
    }

    @Test("one turn at a time")
    func busy() throws {
        let chat = try Self.chat()
        var seen: [TandemError] = []
        _ = try chat.respond(to: "Hi", parameters: Self.parameters()) { _ in
            for attempt in [
                { _ = try chat.respond(to: "x", parameters: Self.parameters()) },
                { _ = try chat.regenerate(parameters: Self.parameters()) }, { try chat.reset() },
                { try chat.setMessages([]) },
            ] as [() throws -> Void] {
                do { try attempt() } catch { if let error = error as? TandemError { seen.append(error) } }
            }
        }
        #expect(!seen.isEmpty && seen.allSatisfy { $0 == .sessionBusy } && seen.count % 4 == 0)
    }

    @Test("a stream keeps the answer in the conversation")
    func stream() async throws {
        let chat = try Self.chat()
        var joined = ""
        for try await element in chat.stream(to: "Hi", parameters: try Self.parameters()) {
            if case .delta(let delta) = element { joined += delta.text }
        }
        #expect(chat.messages == [.user("Hi"), .assistant(joined)])
    }

    @Test("what a conversation needs")
    func needs() throws {
        let plain = try EngineFixture(Self.recipe).load()
        #expect(throws: TandemError.noChatTemplate) { try ChatSession(model: plain) }
        let silent = try EngineFixture(.single).load()
        #expect(throws: TandemError.noTokenizer) { try ChatSession(model: silent) }
        #expect(try plain.chatTemplates == nil)
    }
}
