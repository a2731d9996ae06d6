// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

/// What holds for f16 caches holds for int8 ones, and what they cost in quality is small.
@Suite("Caches of 8-bit integers") struct KeyValueTypeTests {
    static let recipes: [ModelRecipe] = [
        .tandemNear.stored(as: .int8(group: 64)), .pairNear, .everythingTandem.stored(as: .int8(group: 32)),
        .wide,
    ]

    private func parameters(_ count: Int, _ mode: DecodingMode, gamma: Int) throws -> GenerateParameters {
        try GenerateParameters(maxTokens: count, mode: mode, draftMax: gamma, draftMin: gamma, logprobs: 3)
    }

    @Test("SPEED gives the primary's own tokens", arguments: recipes)
    func speed(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let prompt = fixture.tokens(21)
        let alone = try fixture.session(instructionSet: "scalar", cache: .int8).generate(
            tokens: prompt, parameters: parameters(60, .primary, gamma: 0))
        for gamma in [1, 3, 8] {
            let result = try fixture.session(threads: gamma % 2 + 1, cache: .int8).generate(
                tokens: prompt, parameters: parameters(60, .speed, gamma: gamma))
            #expect(result.tokens == alone.tokens && result.logprobs == alone.logprobs, "γ = \(gamma)")
            #expect(result.speculative.drafted > 0)
        }
    }

    @Test("a fork goes on with the same bits, in contexts of other lengths too", arguments: recipes)
    func fork(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        for mode in model.availableModes {
            // 97 positions do not fill their last panel.
            let session = try model.makeSession(
                options: SessionOptions(contextSize: 97, maxDraft: 5, keyValueType: .int8))
            let prompt = fixture.tokens(30)
            let first = try session.generate(tokens: prompt, parameters: parameters(11, mode, gamma: 3))
            let copy = try session.fork()
            for seed: UInt64 in [5, 6] {
                let next = prompt + first.tokens + fixture.tokens(4, seed: seed)
                let expected = try model.makeSession(options: SessionOptions(keyValueType: .int8)).generate(
                    tokens: next, parameters: parameters(20, mode, gamma: 2))
                for one in [session, copy] {
                    let result = try one.generate(tokens: next, parameters: parameters(20, mode, gamma: 2))
                    #expect(result.tokens == expected.tokens, "\(mode)")
                    #expect(result.logprobs == expected.logprobs, "\(mode)")
                    // A text that grows beyond RoPE's limit is run again.
                    #expect(result.usage.cachedPromptTokens > 0 || recipe.name.hasPrefix("everything"))
                }
            }
        }
    }

    @Test("a full context goes on as one that is given the shortened text", arguments: recipes)
    func shift(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let prompt = fixture.tokens(20)
        let session = try fixture.session(context: 40, maxDraft: 4, cache: .int8)
        let result = try session.generate(
            tokens: prompt,
            parameters: GenerateParameters(
                maxTokens: 50, mode: .primary, ignoreEndTokens: true,
                contextOverflow: .shift(keep: 3)))
        #expect(result.usage.contextShifts > 0 && result.tokens.count == 50)
        // From the last shift on, the session holds a text that another session can be given.
        let held = session.tokens
        let next = held + fixture.tokens(2, seed: 9)
        let expected = try fixture.session(context: 40, cache: .int8).generate(
            tokens: next, parameters: parameters(3, .primary, gamma: 0))
        let actual = try session.generate(tokens: next, parameters: parameters(3, .primary, gamma: 0))
        #expect(actual.tokens == expected.tokens && actual.logprobs == expected.logprobs)
        #expect(actual.usage.cachedPromptTokens == held.count)
    }

    @Test("sessions that run at the same time give what each gives alone", arguments: recipes)
    func combined(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load(threads: 2)
        let jobs = try CombinedPassTests.jobs(fixture, model, seed: 7)
        let options = try SessionOptions(batchSize: 17, keyValueType: .int8)
        let alone = try model.runAlone(jobs, options: options)
        for (index, result) in model.run(jobs, options: options).enumerated() {
            #expect(try result.get().tokens == alone[index], "job \(index)")
        }
    }

    @Test("logits stay near those of f32 caches", arguments: recipes)
    func quality(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let tokens = fixture.tokens(60)
        let exact = try fixture.session(cache: .f32).allLogits(tokens, blockLength: 3)
        let actual = try fixture.session(cache: .int8).allLogits(tokens, blockLength: 3)
        let pairs = [(actual.primary, exact.primary), (actual.secondary, exact.secondary)]
        for (mine, reference) in pairs where !reference.isEmpty && !reference[0].isEmpty {
            let wide = reference.map { $0.map(Double.init) }
            let error = meanDifference(mine, wide) / deviation(wide)
            #expect(error > 0 && error < 0.05, "\(recipe): \(error)")
        }
    }
}
