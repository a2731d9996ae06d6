// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Greedy SPEED gives the primary's own tokens, one by one.
@Suite("Greedy identity") struct GreedyIdentityTests {
    static let recipes: [ModelRecipe] = [
        .tandem, .tandemDeep, .tandemNear.stored(as: .int8(group: 64)), .tandemEqual,
        .tandemEqual.stored(as: .int8(group: 32)), .pair,
        .pairNear.stored(as: .int8(group: 0)), .pairEqual, .pairEqual.stored(as: .int4(group: 32)),
        .everythingTandem.stored(as: .int8(group: 64)), .everythingPair, .postTandem,
        .tandemNear.stored(as: .int4z(group: 32)),
    ]

    static let penalties: [(repeatPenalty: Float, presence: Float, frequency: Float, window: Int)] = [
        (1, 0, 0, 0), (1.3, 0.4, 0.2, 16), (0.8, -0.3, 0, -1),
    ]

    @Test("SPEED and the primary alone agree", arguments: recipes)
    func speed(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let fastest = try #require(availableInstructionSets().last)
        var accepted = 0
        var rejected = 0
        for (index, penalty) in Self.penalties.enumerated() {
            let sampling = try SamplingParameters(
                temperature: 0, repeatPenalty: penalty.repeatPenalty, repeatLastN: penalty.window,
                presencePenalty: penalty.presence, frequencyPenalty: penalty.frequency)
            for prompt in prompts(fixture, penaltyIndex: index) {
                let alone = try fixture.session(instructionSet: "scalar").generate(
                    tokens: prompt,
                    parameters: GenerateParameters(maxTokens: 64, mode: .primary, sampling: sampling))
                #expect(alone.tokens.count == 64)
                #expect(alone.finishReason == .length)
                #expect(alone.speculative.primaryPasses == 63)
                #expect(alone.speculative.drafted == 0)
                for gamma in 1...8 {
                    let session = try fixture.session(
                        threads: gamma % 2 + 1, instructionSet: gamma % 3 == 0 ? "scalar" : fastest)
                    let speed = try session.generate(
                        tokens: prompt,
                        parameters: GenerateParameters(
                            maxTokens: 64, mode: .speed, draftMax: gamma, draftMin: gamma, sampling: sampling)
                    )
                    #expect(speed.tokens == alone.tokens, "block length \(gamma), prompt of \(prompt.count)")
                    checkCounts(speed, gamma: gamma)
                    accepted += speed.speculative.accepted
                    rejected += speed.speculative.drafted - speed.speculative.accepted
                }
            }
        }
        // Outcomes of every kind must have been seen, or the test shows nothing.
        let share = Double(accepted) / Double(accepted + rejected)
        switch recipe.copyNoise {
        case .some(0): #expect(rejected == 0, "a copy of the primary must always agree with it")
        case .some: #expect(share > 0.1 && share < 0.9, "\(share) accepted")
        case .none: #expect(accepted > 0 && rejected > 100, "\(accepted) accepted, \(rejected) rejected")
        }
    }

    /// Unlike models of random architectures: drafts are almost never right, and the text still is.
    @Test("SPEED and the primary alone agree for all architectures", arguments: ModelRecipe.architectures)
    func architectures(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let fastest = try #require(availableInstructionSets().last)
        let prompt = fixture.tokens(17)
        let alone = try fixture.session(instructionSet: "scalar").generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 60, mode: .primary))
        for gamma in [1, 2, 5] {
            let speed = try fixture.session(threads: 2, instructionSet: fastest).generate(
                tokens: prompt,
                parameters: GenerateParameters(maxTokens: 60, mode: .speed, draftMax: gamma, draftMin: gamma))
            #expect(speed.tokens == alone.tokens, "block length \(gamma)")
            #expect(speed.speculative.drafted > 10)
        }
    }

    private func prompts(_ fixture: EngineFixture, penaltyIndex: Int) -> [[Int32]] {
        if penaltyIndex > 0 { return [fixture.tokens(9, seed: UInt64(50 + penaltyIndex))] }
        return [1, 2, 17, 70].map { fixture.tokens($0, seed: UInt64($0)) }
    }

    /// Every pass wins its accepted drafts and one token of its own; the prompt wins the first token.
    private func checkCounts(_ result: GenerationResult, gamma: Int) {
        let figures = result.speculative
        #expect(result.tokens.count == 1 + figures.primaryPasses + figures.accepted)
        #expect(figures.drafted <= figures.primaryPasses * gamma)
        // The last pass has no room for drafts, nor has one at a limit of RoPE.
        #expect(figures.drafted >= figures.primaryPasses - 2)
        #expect(figures.accepted <= figures.drafted)
        #expect(result.usage.completionTokens == result.tokens.count)
        #expect(result.timings.predictedTokens == result.tokens.count - 1)
    }

    /// A perfect draft: every pass but the last wins γ + 1 tokens, so the free token is used every time.
    @Test("a perfect draft needs the fewest passes", arguments: [ModelRecipe.tandemEqual, .pairEqual])
    func perfect(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        for gamma in 1...8 {
            let result = try fixture.session().generate(
                tokens: fixture.tokens(12),
                parameters: GenerateParameters(maxTokens: 61, mode: .speed, draftMax: gamma, draftMin: gamma))
            #expect(result.tokens.count == 61)
            #expect(result.speculative.primaryPasses == (60 + gamma) / (gamma + 1))
            #expect(result.speculative.acceptanceRate == 1)
        }
    }

    /// Drafts do not change the text, so only their acceptance shows whether they were made from the right caches.
    @Test(
        "drafts are accepted where the reference accepts them",
        arguments: [ModelRecipe.tandemNear, .pairNear, .everythingTandem, .everythingPair, .postTandem])
    func acceptance(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let reference = NaiveTandem(try RandomModel(recipe))
        let session = try fixture.session(cache: .f32)
        for gamma in [1, 2, 4, 7] {
            let prompt = fixture.tokens(9, seed: UInt64(gamma))
            let expected = reference.speedGreedy(prompt, drafts: gamma, count: 40)
            let result = try session.generate(
                tokens: prompt,
                parameters: GenerateParameters(maxTokens: 40, mode: .speed, draftMax: gamma, draftMin: gamma))
            #expect(result.tokens == expected.tokens)
            #expect(result.speculative.accepted == expected.accepted.reduce(0, +))
            #expect(result.speculative.primaryPasses == expected.accepted.count)
            #expect(Set(expected.accepted).count > 1, "\(expected.accepted)")
        }
    }

    @Test(
        "the primary alone follows the reference",
        arguments: [ModelRecipe.single, .singleTied, .singleWide, .everything])
    func primary(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let prompt = fixture.tokens(8)
        let result = try fixture.session(cache: .f32).generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 40))
        #expect(
            result.tokens == NaiveTandem(try RandomModel(recipe)).greedy(prompt, role: .primary, count: 40))
    }

    @Test(
        "the secondary alone follows the reference",
        arguments: [ModelRecipe.tandem, .tandemDeep, .pair, .postTandem])
    func secondary(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let prompt = fixture.tokens(8)
        let result = try fixture.session(cache: .f32).generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 40, mode: .secondary))
        #expect(
            result.tokens == NaiveTandem(try RandomModel(recipe)).greedy(prompt, role: .secondary, count: 40))
        #expect(result.speculative.primaryPasses == 0)
    }

    @Test(
        "the standalone tandem follows the reference",
        arguments: [ModelRecipe.tandem, .tandemDeep, .tandemNear, .everythingTandem, .postTandem])
    func standalone(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let reference = NaiveTandem(try RandomModel(recipe))
        let prompt = fixture.tokens(7)
        for gamma in [1, 2, 3, 5, 8] {
            // One more than whole blocks hold, so that the last block is not shortened.
            let count = 1 + 3 * (gamma + 1)
            let result = try fixture.session(cache: .f32).generate(
                tokens: prompt,
                parameters: GenerateParameters(
                    maxTokens: count, mode: .tandem, draftMax: gamma, draftMin: gamma))
            #expect(result.tokens == reference.standaloneGreedy(prompt, drafts: gamma, count: count))
            #expect(result.speculative.primaryPasses == 3)
            #expect(result.speculative.accepted == 3 * gamma)
            #expect(result.speculative.drafted == 3 * gamma)
        }
    }

    @Test("standalone tandem without drafts is the primary alone")
    func standaloneWithoutDrafts() throws {
        let fixture = try EngineFixture(.tandem)
        let prompt = fixture.tokens(5)
        let session = try fixture.session()
        let tandem = try session.generate(
            tokens: prompt,
            parameters: GenerateParameters(maxTokens: 30, mode: .tandem, draftMax: 0, draftMin: 0))
        let speed = try session.generate(
            tokens: prompt,
            parameters: GenerateParameters(maxTokens: 30, mode: .speed, draftMax: 0, draftMin: 0))
        let primary = try fixture.session().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 30, mode: .primary))
        #expect(tandem.tokens == primary.tokens)
        #expect(speed.tokens == primary.tokens)
        #expect(speed.speculative.drafted == 0)
    }
}
