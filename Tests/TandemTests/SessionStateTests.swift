// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// What a session keeps from one generation to the next never changes a result.
@Suite("Session state") struct SessionStateTests {
    static let recipes: [ModelRecipe] = [.tandemNear, .pairNear, .tandem, .pair.stored(as: .int8(group: 32))]

    @Test("a longer prompt reuses its prefix and gives what a fresh session gives", arguments: recipes)
    func prefixReuse(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        for mode in model.availableModes {
            let session = try model.makeSession()
            var prompt = fixture.tokens(20)
            for round in 0..<3 {
                let parameters = try GenerateParameters(maxTokens: 15, mode: mode, draftMax: 3, draftMin: 3)
                let reused = try session.generate(tokens: prompt, parameters: parameters)
                let fresh = try model.makeSession().generate(tokens: prompt, parameters: parameters)
                expectSame(reused, fresh, "\(mode), round \(round)")
                #expect(reused.usage.promptTokens == prompt.count)
                #expect(reused.timings.promptTokensRun + reused.usage.cachedPromptTokens == prompt.count)
                if round > 0 {
                    // The last answer's newest token was never in the cache; what was added to it is new.
                    #expect(reused.usage.cachedPromptTokens >= prompt.count - 6, "\(mode)")
                }
                #expect(fresh.usage.cachedPromptTokens == 0)
                prompt += reused.tokens + fixture.tokens(5, seed: UInt64(round + 30))
            }
        }
    }

    /// Any order of modes, prompts that grow, shrink or differ, limits, cancellations and evaluations.
    @Test("a random history leaves no trace", arguments: recipes)
    func randomHistory(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        let session = try model.makeSession(options: SessionOptions(batchSize: 7, maxDraft: 8))
        var random = TestRandom(seed: recipe.seed)
        var history: [Int32] = fixture.tokens(10)
        for round in 0..<80 {
            var prompt = Array(history.prefix(1 + random.index(below: history.count)))
            prompt += fixture.tokens(random.index(below: 12), seed: UInt64(round))
            prompt = Array(prompt.prefix(100))
            let mode = model.availableModes[random.index(below: model.availableModes.count)]
            // A fixed block length: else the clock decides how much a greedy run drafts.
            let length = random.index(below: 9)
            let parameters = try GenerateParameters(
                maxTokens: random.index(below: 20), mode: mode, draftMax: length, draftMin: length,
                sampling: SamplingParameters(
                    temperature: random.uniform() < 0.5 ? 0 : 1.2, topK: 20, repeatPenalty: 1.1,
                    seed: UInt64(round)))
            if random.uniform() < 0.15 {
                let cancelled = CancellationToken()
                cancelled.cancel()
                let result = try session.generate(
                    tokens: prompt, parameters: parameters, cancellation: cancelled)
                #expect(result.finishReason == .cancelled)
                #expect(result.tokens.isEmpty)
            } else if random.uniform() < 0.1 {
                _ = try session.evaluate(tokens: prompt, blockLength: 3)
            }
            let result = try session.generate(tokens: prompt, parameters: parameters)
            let fresh = try model.makeSession(options: SessionOptions(maxDraft: 8))
                .generate(tokens: prompt, parameters: parameters)
            expectSame(result, fresh, "round \(round), \(mode)")
            history = prompt + result.tokens
        }
    }

    @Test("reset forgets the tokens")
    func reset() throws {
        let fixture = try EngineFixture(.tandem)
        let session = try fixture.session()
        let prompt = fixture.tokens(30)
        let parameters = try GenerateParameters(maxTokens: 4)
        let first = try session.generate(tokens: prompt, parameters: parameters)
        let second = try session.generate(tokens: prompt, parameters: parameters)
        #expect(second.usage.cachedPromptTokens == 29)
        try session.reset()
        let third = try session.generate(tokens: prompt, parameters: parameters)
        #expect(third.usage.cachedPromptTokens == 0)
        #expect(first.tokens == second.tokens && second.tokens == third.tokens)
    }

    @Test("evaluation resets the session and leaves it usable")
    func evaluation() throws {
        let fixture = try EngineFixture(.pairNear)
        let session = try fixture.session()
        let prompt = fixture.tokens(30)
        let parameters = try GenerateParameters(maxTokens: 20, draftMax: 4, draftMin: 4)
        let before = try session.generate(tokens: prompt, parameters: parameters)
        _ = try session.evaluate(tokens: fixture.tokens(40, seed: 9))
        let after = try session.generate(tokens: prompt, parameters: parameters)
        #expect(after.usage.cachedPromptTokens == 0)
        expectSame(after, before, "after evaluation")
    }

    @Test("sessions of one model work at the same time")
    func concurrentSessions() async throws {
        let fixture = try EngineFixture(ModelRecipe.wide.stored(as: .int8(group: 64)))
        let model = try fixture.load(threads: 4)
        let parameters = try GenerateParameters(maxTokens: 30, mode: .speed, draftMax: 2, draftMin: 2)
        let expected = try (0..<6).map {
            try model.makeSession().generate(
                tokens: fixture.tokens(20, seed: UInt64($0)), parameters: parameters
            ).tokens
        }
        try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for index in 0..<6 {
                group.addTask {
                    let session = try model.makeSession()
                    let prompt = fixture.tokens(20, seed: UInt64(index))
                    return (index, try session.generate(tokens: prompt, parameters: parameters).tokens)
                }
            }
            for try await (index, tokens) in group { #expect(tokens == expected[index]) }
        }
    }

    private func expectSame(
        _ a: GenerationResult, _ b: GenerationResult, _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let isSame =
            a.tokens == b.tokens && a.finishReason == b.finishReason && a.speculative == b.speculative
            && a.text == b.text
        #expect(
            isSame, Comment(rawValue: "\(what): \(a.tokens) and \(b.tokens)"), sourceLocation: sourceLocation)
    }
}
