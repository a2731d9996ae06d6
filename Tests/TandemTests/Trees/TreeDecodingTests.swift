// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

/// Trees of drafts change nothing in the text, be it greedy or sampled.
@Suite("Trees: decoding") struct TreeDecodingTests {
    static let recipes: [ModelRecipe] = [
        .tandem, .tandemNear.stored(as: .int8(group: 64)), .tandemEqual, .pair, .pairNear, .pairEqual,
        .everythingTandem, .everythingPair, .postTandem, .tandemDeep,
    ]
    /// Drafts and rows for nothing: trees as large as they may be.
    static let free = PassCosts(draftOverPass: 0, rowOverPass: 0)

    static let samplings: [SamplingParameters] = {
        let made = [
            try? SamplingParameters(temperature: 0.9, topK: 0, topP: 1, minP: 0, seed: 3),
            try? SamplingParameters(temperature: 1.2, topK: 9, topP: 0.9, minP: 0.02, seed: 4),
            try? SamplingParameters(
                temperature: 0.7, repeatPenalty: 1.3, repeatLastN: 12, presencePenalty: 0.3,
                frequencyPenalty: 0.2, seed: 5),
            try? SamplingParameters(temperature: 0, repeatPenalty: 1.3, repeatLastN: -1),
        ]
        return [.greedy] + made.compactMap { $0 }
    }()

    @Test("the text is the primary's own for trees of all sizes", arguments: recipes)
    func identity(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        #expect(Self.samplings.count == 5)
        for (kind, sampling) in Self.samplings.enumerated() {
            let prompt = fixture.tokens(6 + kind, seed: UInt64(kind))
            let alone = try fixture.session().generate(
                tokens: prompt,
                parameters: GenerateParameters(maxTokens: 60, mode: .primary, sampling: sampling))
            var passes: [Int: Int] = [:]
            for (index, nodes) in [1, 2, 3, 5, 8, 33, 64, 200].enumerated() {
                let sets = availableInstructionSets()
                let model = try fixture.load(
                    threads: index % 3 + 1, instructionSet: sets[(index + kind) % sets.count])
                let session = try model.makeSession(
                    options: SessionOptions(
                        batchSize: 20, maxDraft: index % 2 == 0 ? 16 : 5, maxTree: nodes,
                        keyValueType: kind % 2 == 0 ? .f16 : .f32))
                let reference =
                    kind % 2 == 0
                    ? alone.tokens
                    : try fixture.session(cache: .f32).generate(
                        tokens: prompt,
                        parameters: GenerateParameters(maxTokens: 60, mode: .primary, sampling: sampling)
                    ).tokens
                try session.fixDraftCosts(Self.free)
                for _ in 0..<2 {
                    // A second time, when chances have been learnt.
                    let result = try session.generate(
                        tokens: prompt,
                        parameters: GenerateParameters(
                            maxTokens: 60, mode: .speed, promptLookup: false, sampling: sampling))
                    #expect(result.tokens == reference, "\(nodes) nodes, sampling \(kind)")
                    let figures = result.speculative
                    #expect(result.tokens.count == 1 + figures.primaryPasses + figures.accepted)
                    #expect(figures.drafted <= nodes * figures.primaryPasses)
                    #expect(figures.accepted <= figures.draftedDepth)
                    #expect(figures.draftedDepth <= figures.drafted)
                    if nodes >= 8 {
                        #expect(figures.drafted > figures.draftedDepth, "trees, not chains")
                    }
                    passes[nodes] = figures.primaryPasses
                }
            }
            if recipe.copyNoise == nil { continue }
            #expect(passes[64] ?? .max <= passes[1] ?? 0, "sampling \(kind): \(passes)")
        }
    }

    @Test("the same with costs that are weighed, and with looked-up drafts", arguments: recipes)
    func weighed(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        for (index, costs) in [
            PassCosts(draftOverPass: 0.05, rowOverPass: 0.01),
            PassCosts(draftOverPass: 0.2, rowOverPass: 0.1),
            PassCosts(),
        ].enumerated() {
            let session = try fixture.session(threads: 2, batch: 24)
            try session.fixDraftCosts(costs)
            for (kind, sampling) in Self.samplings.enumerated() {
                let part = fixture.tokens(5, seed: UInt64(kind))
                let prompt = part + part + part.prefix(3)
                let alone = try fixture.session().generate(
                    tokens: prompt,
                    parameters: GenerateParameters(maxTokens: 60, mode: .primary, sampling: sampling))
                let speed = try session.generate(
                    tokens: prompt,
                    parameters: GenerateParameters(
                        maxTokens: 60, mode: .speed, draftMin: kind % 2 == 0 ? nil : 2, sampling: sampling))
                #expect(speed.tokens == alone.tokens, "costs \(index), sampling \(kind)")
            }
        }
    }

    @Test("texts that repeat themselves: what is looked up are branches")
    func repeating() throws {
        var lookedUp = 0
        for recipe in Self.recipes {
            let fixture = try EngineFixture(recipe)
            for (kind, sampling) in Self.samplings.enumerated() {
                let part = fixture.tokens(9, seed: UInt64(kind))
                let prompt = part + part.prefix(6) + fixture.tokens(3, seed: 77) + part + part.prefix(5)
                let alone = try fixture.session().generate(
                    tokens: prompt,
                    parameters: GenerateParameters(maxTokens: 50, mode: .primary, sampling: sampling))
                let session = try fixture.load().makeSession(
                    options: SessionOptions(maxDraft: kind % 2 == 0 ? 16 : 3, maxTree: 40))
                try session.fixDraftCosts(Self.free)
                let speed = try session.generate(
                    tokens: prompt, parameters: GenerateParameters(maxTokens: 50, sampling: sampling))
                #expect(speed.tokens == alone.tokens, "\(recipe), sampling \(kind)")
                lookedUp += speed.speculative.lookedUp
            }
        }
        #expect(lookedUp > 0)
    }

    /// Grammars that end, that go on, and that need characters of several bytes.
    @Test("under grammars", arguments: GrammarTests.recipes)
    func grammars(_ recipe: ModelRecipe) throws {
        let model = try EngineFixture(recipe).load()
        let session = try model.makeSession(options: SessionOptions(maxTree: 40))
        try session.fixDraftCosts(Self.free)
        var trees = 0
        for (index, grammar) in try GrammarTests.all().enumerated() {
            for sampling in Self.samplings {
                let prompt = ByteTokenizer.encode("aabcab(é) fixed text {\"name\": 12 \(index)")
                let alone = try model.makeSession().generate(
                    tokens: prompt,
                    parameters: GenerateParameters(
                        maxTokens: 60, mode: .primary, sampling: sampling, grammar: grammar))
                let speed = try session.generate(
                    tokens: prompt,
                    parameters: GenerateParameters(maxTokens: 60, sampling: sampling, grammar: grammar))
                #expect(speed.tokens == alone.tokens, "\(index)")
                #expect(speed.text == alone.text && speed.finishReason == alone.finishReason)
                try GrammarTests.check(speed, grammar)
                if speed.speculative.drafted > speed.speculative.draftedDepth { trees += 1 }
            }
        }
        #expect(trees > 15, "trees, not chains: \(trees)")
    }

    @Test("the context fills to its end", arguments: [ModelRecipe.tandemNear, .pairNear], 2...9)
    func edges(_ recipe: ModelRecipe, promptLength: Int) throws {
        let fixture = try EngineFixture(recipe)
        let prompt = fixture.tokens(promptLength)
        for context in [promptLength + 1, promptLength + 2, 13, 24, 61] where context > promptLength {
            let alone = try fixture.session(context: context).generate(
                tokens: prompt, parameters: GenerateParameters(mode: .primary))
            let session = try fixture.session(context: context)
            try session.fixDraftCosts(Self.free)
            let speed = try session.generate(tokens: prompt, parameters: GenerateParameters())
            #expect(
                speed.tokens == alone.tokens && speed.tokens.count == context - promptLength, "\(context)")
            #expect(speed.finishReason == .length)
        }
    }

    @Test(
        "what a session holds after trees goes on like any text",
        arguments: [ModelRecipe.tandemNear, .pairNear, .everythingTandem])
    func continuing(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        let folder = try TemporaryFolder()
        let session = try model.makeSession()
        try session.fixDraftCosts(Self.free)
        let sampling = try SamplingParameters(temperature: 0.8, seed: 2)
        let parameters = try GenerateParameters(maxTokens: 20, sampling: sampling)
        var text = fixture.tokens(7)
        for round in 0..<3 {
            let result = try session.generate(tokens: text, parameters: parameters)
            #expect(result.speculative.drafted > result.speculative.draftedDepth)
            text += result.tokens + fixture.tokens(2, seed: UInt64(round))
        }
        let path = folder.path("session")
        try session.save(to: path)
        let restored = try model.makeSession()
        try restored.restore(from: path)
        let copy = try session.fork()
        let fresh = try model.makeSession()
        let expected = try fresh.generate(
            tokens: text, parameters: GenerateParameters(maxTokens: 30, mode: .primary)
        ).tokens
        for (index, other) in [restored, copy, session].enumerated() {
            try other.fixDraftCosts(Self.free)
            let result = try other.generate(tokens: text, parameters: GenerateParameters(maxTokens: 30))
            #expect(result.tokens == expected, "\(index)")
            #expect(result.usage.cachedPromptTokens > 0)
        }
    }

    @Test(
        "sessions at a time, trees beside chains and prompts", arguments: [ModelRecipe.tandemNear, .pairNear])
    func together(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load(threads: 2)
        let lengths = [3, 60, 9, 20, 5, 31]
        var jobs: [Job] = []
        for (index, length) in lengths.enumerated() {
            let sampling =
                index % 2 == 0
                ? SamplingParameters.greedy : try SamplingParameters(temperature: 0.9, seed: UInt64(index))
            let parameters = try GenerateParameters(
                maxTokens: 40, draftTree: index % 3 == 0 ? 0 : nil, sampling: sampling)
            jobs.append(Job(fixture.tokens(length, seed: UInt64(index)), parameters))
        }
        var alone: [[TokenID]] = []
        for job in jobs {
            let parameters = try GenerateParameters(
                maxTokens: 40, mode: .primary, sampling: job.parameters.sampling)
            let result = try model.makeSession().generate(tokens: job.prompt, parameters: parameters)
            alone.append(result.tokens)
        }
        let all = jobs
        let results = concurrently(all.count) { index in
            let session = try model.makeSession(options: SessionOptions(maxTree: 24))
            try session.fixDraftCosts(Self.free)
            return try session.generate(tokens: all[index].prompt, parameters: all[index].parameters)
        }
        for (index, result) in results.enumerated() {
            let result = try result.get()
            #expect(result.tokens == alone[index], "job \(index)")
            #expect((result.speculative.drafted > result.speculative.draftedDepth) == (index % 3 != 0))
        }
    }

    @Test("streamed weights: trees of more nodes, the same text", arguments: [0, 0.5])
    func streamed(share: Double) throws {
        let fixture = try ResidencyFixture(ResidencyStreamTests.model.stored(as: .int8(group: 64)))
        let prompt = fixture.tokens(9)
        let alone = try TandemModel.load(from: fixture.path, options: LoadOptions(memory: .mapped))
            .makeSession().generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 50, mode: .primary))
        let model = try fixture.load(share: share, threads: 2)
        #expect(model.memoryPlan.residency == .streamed)
        let session = try model.makeSession()
        try session.fixDraftCosts(Self.free)
        let result = try session.generate(tokens: prompt, parameters: GenerateParameters(maxTokens: 50))
        #expect(result.tokens == alone.tokens)
        #expect(result.speculative.drafted > result.speculative.draftedDepth)
    }

    @Test("a cancelled tree leaves a session that goes on", arguments: [ModelRecipe.tandemNear, .pairNear])
    func cancelled(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let session = try fixture.session()
        try session.fixDraftCosts(Self.free)
        let prompt = fixture.tokens(8)
        let whole = try fixture.session().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 40, mode: .primary, logprobs: 0))
        for count in [1, 4, 11] {
            let token = CancellationToken()
            var seen = 0
            let part = try session.generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 40, logprobs: 0),
                cancellation: token
            ) { delta in
                seen += delta.tokens.count
                if seen >= count { token.cancel() }
            }
            #expect(part.finishReason == .cancelled && whole.tokens.starts(with: part.tokens))
            let again = try session.generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 40, logprobs: 0))
            #expect(again.tokens == whole.tokens)
            #expect(again.logprobs.map(\.logprob) == whole.logprobs.map(\.logprob))
        }
    }

    @Test("parameters are checked")
    func parameters() throws {
        for wrong in [-1, 513] {
            let problem = TandemError.invalidParameter(
                name: "draft-tree", value: "\(wrong)", allowed: "in 0 ... 512")
            #expect(throws: problem) { try GenerateParameters(draftTree: wrong) }
            #expect(throws: problem) { try SessionOptions(maxTree: wrong) }
        }
        let session = try EngineFixture(.tandem).session(maxDraft: 4)
        #expect(
            throws: TandemError.invalidParameter(
                name: "draft-tree", value: "5", allowed: "at most 4, the session's limit")
        ) { try session.generate(tokens: [1], parameters: GenerateParameters(draftTree: 5)) }
        #expect(
            throws: TandemError.invalidParameter(
                name: "draft-tree", value: "4",
                allowed: "0 where draft-min equals draft-max: blocks of a fixed length are chains")
        ) {
            try session.generate(
                tokens: [1], parameters: GenerateParameters(draftMax: 2, draftMin: 2, draftTree: 4))
        }
    }
}
