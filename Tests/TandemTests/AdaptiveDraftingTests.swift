// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Drafting that decides by itself how many tokens to draft and from where changes nothing in the text.
@Suite("Adaptive drafting") struct AdaptiveDraftingTests {
    static let recipes: [ModelRecipe] = [
        .tandem, .tandemNear.stored(as: .int8(group: 64)), .tandemEqual, .pair, .pairNear, .pairEqual,
        .everythingTandem, .everythingPair, .single,
    ]

    @Test("greedy text is the primary's own, generation after generation", arguments: recipes, [true, false])
    func greedy(_ recipe: ModelRecipe, clocked: Bool) throws {
        let fixture = try EngineFixture(recipe)
        let session = try fixture.session(threads: 2, batch: 24)
        // The clock of a busy machine may find that nothing pays.
        if !clocked { try session.fixDraftCosts(PassCosts(draftOverPass: 0.2)) }
        var lookedUp = 0
        var drafted = 0
        for index in 0..<6 {
            // Repetition, so that there is something to look up; the same session, so that it learns.
            let part = fixture.tokens(5, seed: UInt64(index))
            let prompt = part + part + fixture.tokens(index, seed: 9) + part.prefix(3)
            let alone = try fixture.session().generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 70, mode: .primary))
            let speed = try session.generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 70, mode: .speed))
            #expect(speed.tokens == alone.tokens)
            let figures = speed.speculative
            #expect(speed.tokens.count == 1 + figures.primaryPasses + figures.accepted)
            #expect(figures.lookedUp <= figures.drafted && figures.accepted <= figures.drafted)
            lookedUp += figures.lookedUp
            drafted += figures.drafted
        }
        if clocked { return }
        // What the secondary drafts where it is always right, nothing can promise more than.
        if !"\(recipe)".contains("equal") { #expect(lookedUp > 0) }
        if case .none = recipe.secondary { return }
        #expect(drafted > lookedUp, "the secondary drafts too")
    }

    @Test(
        "modes and block lengths may change from generation to generation",
        arguments: [ModelRecipe.tandemNear, .pairNear])
    func changing(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let session = try fixture.session(batch: 8)
        let prompt = fixture.tokens(30)
        let alone = try fixture.session().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 60, mode: .primary))
        let modes: [(DecodingMode, Int?, Int?)] = [
            (.speed, nil, nil), (.primary, nil, nil), (.speed, 0, nil), (.speed, 3, 3), (.speed, 5, 2),
            (.speed, nil, nil),
        ]
        for (index, (mode, most, least)) in modes.enumerated() {
            // Prompts of many lengths over one text: the caches are taken back to all places.
            let text = prompt + alone.tokens
            let given = 30 + (index * 17) % 50
            let result = try session.generate(
                tokens: Array(text[..<given]),
                parameters: GenerateParameters(
                    maxTokens: 90 - given, mode: mode, draftMax: most, draftMin: least))
            #expect(result.tokens[...] == text[given..<90], "\(mode), \(given)")
        }
    }

    @Test(
        "the same sampled text for the same seed, the primary's own, whatever the session did before"
    )
    func seeds() throws {
        let fixture = try EngineFixture(.tandemNear)
        let sampling = try SamplingParameters(temperature: 1.1, topK: 0, topP: 1, minP: 0, seed: 5)
        let parameters = try GenerateParameters(maxTokens: 50, sampling: sampling)
        let prompt = fixture.tokens(8) + fixture.tokens(8)
        let first = try fixture.session().generate(tokens: prompt, parameters: parameters)
        let alone = try fixture.session().generate(
            tokens: prompt,
            parameters: GenerateParameters(maxTokens: 50, mode: .primary, sampling: sampling))
        #expect(first.tokens == alone.tokens)
        let used = try fixture.session(threads: 2)
        for seed in 0..<3 {
            _ = try used.generate(
                tokens: fixture.tokens(5, seed: UInt64(seed)), parameters: GenerateParameters(maxTokens: 40))
        }
        #expect(try used.generate(tokens: prompt, parameters: parameters).tokens == first.tokens)
        let eager = try fixture.session()
        try eager.fixDraftCosts(PassCosts(draftOverPass: 0.1))
        let drafted = try eager.generate(tokens: prompt, parameters: parameters)
        #expect(drafted.tokens == first.tokens && drafted.speculative.drafted > 0)
    }

    // MARK: - Sampling

    /// Repeats itself, so that the next token can be looked up.
    static let prompt: [Int32] = [3, 1, 6, 2, 1, 3, 1, 6]

    @Test(
        "sampled text follows the primary's distribution",
        arguments: SamplingExactnessTests.models + SamplingExactnessTests.mixed)
    func sampled(_ recipe: ModelRecipe) throws {
        let pipeline = SamplingExactnessTests.pipelines[5]
        let session = try EngineFixture(recipe).session(maxDraft: 4, cache: .f32)
        let size = recipe.primary.vocabulary
        var counts = [Int](repeating: 0, count: size * size * size)
        var lengths: Set<Int> = []
        var lookedUp = 0
        for seed in 0..<SamplingExactnessTests.samples {
            // Nothing is learnt from one text for the next.
            try session.fixDraftCosts(PassCosts(draftOverPass: 0.5, rowOverPass: 0.1))
            let result = try session.generate(
                tokens: Self.prompt,
                parameters: GenerateParameters(
                    maxTokens: 5, mode: .speed, draftTree: 0,
                    sampling: pipeline.parameters(seed: UInt64(seed) &* 0x1234_5678_9ABC_DEF1)))
            let tokens = result.tokens.map(Int.init)
            counts[(tokens[1] * size + tokens[2]) * size + tokens[3]] += 1
            lengths.insert(result.speculative.drafted)
            lookedUp += result.speculative.lookedUp
        }
        let exact = try NaiveSpeculation(
            recipe, parameters: pipeline.parameters(seed: 0), prompt: Self.prompt
        ).exact
        let result = ChiSquare(counts: counts, probabilities: exact)
        #expect(result.pValue > SamplingExactnessTests.threshold, "\(result)")
        #expect(lengths.count > 1, "blocks of several lengths: \(lengths)")
        #expect(lookedUp > 100)
    }
}
