// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemGrammar
import Testing

/// What matching grammars takes counts in a memory plan.
@Suite("Residency: grammars") struct GrammarMemoryTests {
    private static let grammar = #"root ::= ("ab" | "cde" | [f-z] [a-m])+"#

    /// A model of one chunk for each part, with a tokenizer.
    private func fixture() throws -> ResidencyFixture {
        var recipe = ModelRecipe(
            name: "under a grammar",
            primary: ModelShape(
                vocabulary: 257, hidden: 208, layers: 4, heads: 4, keyValueHeads: 2, headSize: 52,
                intermediate: 600),
            seed: 47)
        recipe.hasTokenizer = true
        recipe.endTokens = [0]
        return try ResidencyFixture(recipe.stored(as: .int8(group: 64)), chunks: .models)
    }

    private func grammarBytes(_ model: TandemModel) -> Int {
        model.memoryPlan.items.first { $0.name == "grammars" }?.bytes ?? 0
    }

    @Test("a first generation under a grammar takes its memory from the plan, later ones do not")
    func taken() throws {
        let fixture = try fixture()
        let options = try SessionOptions(contextSize: 64)
        let limits = try fixture.limits(session: options, sessions: 3)
        let mapped = try TandemModel.load(from: fixture.path, options: fixture.options(.mapped))
        let parameters = try GenerateParameters(maxTokens: 12, grammar: Grammar(gbnf: Self.grammar))
        let prompt = ByteTokenizer.encode("ada")
        let expected = try mapped.makeSession().generate(tokens: prompt, parameters: parameters)
        // Room for what the grammar takes, and half of the layers.
        let budget = limits.least + (2 << 20) + (limits.most - limits.least) / 2
        let model = try TandemModel.load(
            from: fixture.path, options: fixture.options(.bytes(budget), session: options, sessions: 3))
        #expect(grammarBytes(model) == 0)
        let before = model.memoryPlan
        let session = try model.makeSession(options: options)
        _ = try session.generate(tokens: prompt, parameters: GenerateParameters(maxTokens: 2))
        #expect(model.memoryPlan == before)

        #expect(try session.generate(tokens: prompt, parameters: parameters).tokens == expected.tokens)
        let once = grammarBytes(model)
        #expect(once >= 1 << 20)
        #expect(model.memoryPlan.totalBytes <= budget)
        #expect(model.memoryPlan.budgetBytes == budget)
        #expect(model.memoryPlan.budgetSource == before.budgetSource)
        // The same memory serves other generations, and other grammars.
        for text in [Self.grammar, #"root ::= [a-z]+"#, #"root ::= "x" [0-9]+"#] {
            let other = try GenerateParameters(maxTokens: 4, grammar: Grammar(gbnf: text))
            try session.reset()
            _ = try session.generate(tokens: prompt, parameters: other)
        }
        #expect(grammarBytes(model) == once)
        // It stays counted when the budget changes.
        try model.setMemoryBudget(.bytes(budget - (256 << 10)))
        #expect(grammarBytes(model) == once)
    }

    @Test("a plan without room for a grammar says what would do, and goes on without")
    func noRoom() throws {
        let fixture = try fixture()
        let options = try SessionOptions(contextSize: 64)
        let least = try fixture.limits(session: options).least
        let model = try TandemModel.load(
            from: fixture.path, options: fixture.options(.bytes(least), session: options))
        let session = try model.makeSession(options: options)
        let prompt = ByteTokenizer.encode("ada")
        let parameters = try GenerateParameters(maxTokens: 3, grammar: Grammar(gbnf: Self.grammar))
        let error = #expect(throws: TandemError.self) {
            try session.generate(tokens: prompt, parameters: parameters)
        }
        guard case .memoryBudgetTooSmall(let given, let needed, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(given == least)
        #expect(grammarBytes(model) == 0)
        let plain = try GenerateParameters(maxTokens: 3, ignoreEndTokens: true)
        #expect(try session.generate(tokens: prompt, parameters: plain).tokens.count == 3)
        try model.setMemoryBudget(.bytes(needed))
        try session.reset()
        #expect(try !session.generate(tokens: prompt, parameters: parameters).tokens.isEmpty)
        #expect(model.memoryPlan.totalBytes <= needed)
    }
}
