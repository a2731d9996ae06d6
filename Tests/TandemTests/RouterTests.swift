// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemFormat
import Testing

/// The block-length router: its estimates, and that they change nothing but the number of drafts.
@Suite("Block-length router") struct RouterTests {
    static let router = DraftingConfiguration.Router(topCount: 3, hiddenSize: 21)
    static let recipes = [
        ModelRecipe.tandem, .tandemNear, .pairNear, .tandemNear.stored(as: .int8(group: 64)),
    ]
    .map { $0.drafting(router: router) }

    @Test("estimates are PyTorch's within 1e-5, in a tandem and in a pair")
    func parity() throws {
        let fixture = try TorchFixture("router")
        let model = try fixture.model(asPair: false, in: TemporaryFolder())
        #expect(model.manifest.drafting?.router == DraftingConfiguration.Router(topCount: 3, hiddenSize: 20))
        let session = try model.makeSession(options: SessionOptions(keyValueType: .f32))
        let actual = try session.routerEstimates(tokens: fixture.tokens, blockLength: fixture.blockLength)
        let expected = fixture.logits("router")
        #expect(actual.count == 20 && expected.count == 20)
        #expect(deviation(expected.map { [$0[0] - expected[0][0], $0[1] - expected[0][1]] }) > 0.02)
        #expect(largestDifference(actual.map { [Float($0.sampled), Float($0.greedy)] }, expected) < 1e-5)
        // The plain pair of the same models is another draft model, to which the router does not belong.
        let pair = try fixture.model(asPair: true, in: TemporaryFolder())
        #expect(pair.manifest.drafting == nil)
        #expect(try pair.makeSession().routerEstimates(tokens: fixture.tokens, blockLength: 2).isEmpty)
    }

    @Test("estimates are the same bits on every instruction set", arguments: recipes)
    func sameBits(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let tokens = fixture.tokens(40)
        let expected = try fixture.session(instructionSet: "scalar").routerEstimates(
            tokens: tokens, blockLength: 3)
        #expect(Set(expected.map(\.greedy)).count > 20, "they differ from place to place")
        #expect(expected.allSatisfy { (0...1).contains($0.greedy) && (0...1).contains($0.sampled) })
        #expect(expected.contains { $0.greedy != $0.sampled })
        for name in availableInstructionSets() {
            let actual = try fixture.session(threads: 2, instructionSet: name).routerEstimates(
                tokens: tokens, blockLength: 3)
            #expect(actual.map(\.greedy) == expected.map(\.greedy), "\(name)")
            #expect(actual.map(\.sampled) == expected.map(\.sampled), "\(name)")
        }
    }

    @Test("evaluations tell how good a router is")
    func evaluation() throws {
        let fixture = try EngineFixture(Self.recipes[1])
        let tokens = fixture.tokens(60)
        let session = try fixture.session()
        let router = try #require(try session.evaluate(tokens: tokens, blockLength: 3).router)
        let estimates = try session.routerEstimates(tokens: tokens, blockLength: 3).dropLast()
        let mean = estimates.reduce(0) { $0 + $1.greedy } / Double(estimates.count)
        #expect(abs(router.greedy.meanEstimate - mean) < 1e-9)
        #expect(router.greedy.meanOutcome > 0.1 && router.greedy.meanOutcome < 0.9)
        #expect(router.sampled.brierScore > 0 && router.sampled.brierScore < 1)
        #expect(try EngineFixture(.tandemNear).session().evaluate(tokens: tokens).router == nil)
    }

    @Test("greedy text is the primary's own, whatever the router says", arguments: recipes)
    func greedy(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let session = try fixture.session(threads: 2, batch: 24)
        try session.fixDraftCosts(PassCosts(draftOverPass: 0.05))
        var lengths: Set<Int> = []
        for index in 0..<4 {
            let prompt = fixture.tokens(6 + index, seed: UInt64(index))
            let alone = try fixture.session().generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 60, mode: .primary))
            let speed = try session.generate(
                tokens: prompt,
                parameters: GenerateParameters(maxTokens: 60, mode: .speed, promptLookup: false))
            #expect(speed.tokens == alone.tokens)
            lengths.insert(speed.speculative.drafted)
        }
        #expect(lengths.contains { $0 > 0 }, "it drafts: \(lengths)")
    }

    @Test("under a budget too, counted by the plan")
    func budget() throws {
        let fixture = try EngineFixture(Self.recipes[1])
        let prompt = fixture.tokens(9)
        let parameters = try GenerateParameters(maxTokens: 40)
        let mapped = try fixture.session().generate(tokens: prompt, parameters: parameters)
        let model = try TandemModel.load(
            from: fixture.path, options: LoadOptions(threadCount: 1, memory: .bytes(64 << 20)))
        #expect(model.memoryPlan.items.contains { $0.name == "drafting" && $0.bytes > 0 })
        #expect(
            try model.makeSession().generate(tokens: prompt, parameters: parameters).tokens == mapped.tokens)
    }

    /// A primary that is dear enough for drafting to pay.
    private static let dear: ModelRecipe = {
        var shape = SamplingExactnessTests.small(hidden: 16)
        shape.layers = 5
        shape.intermediate = 400
        return ModelRecipe(
            name: "dear", primary: shape,
            secondary: .tandem(SamplingExactnessTests.small(hidden: 12), layerMap: [5]), sharpness: 1.3,
            seed: 107)
    }()

    @Test("sampled text follows the primary's distribution")
    func sampled() throws {
        let recipe = Self.dear.drafting(router: DraftingConfiguration.Router(topCount: 2, hiddenSize: 7))
        let pipeline = SamplingExactnessTests.pipelines[5]
        let session = try EngineFixture(recipe).session(maxDraft: 4, cache: .f32)
        let size = recipe.primary.vocabulary
        var counts = [Int](repeating: 0, count: size * size * size)
        var lengths: Set<Int> = []
        for seed in 0..<SamplingExactnessTests.samples / 2 {
            let result = try session.generate(
                tokens: SamplingExactnessTests.prompt,
                parameters: GenerateParameters(
                    maxTokens: 5, mode: .speed, promptLookup: false,
                    sampling: pipeline.parameters(seed: UInt64(seed) &* 0x1234_5678_9ABC_DEF1)))
            let tokens = result.tokens.map(Int.init)
            counts[(tokens[1] * size + tokens[2]) * size + tokens[3]] += 1
            lengths.insert(result.speculative.drafted)
        }
        let exact = try NaiveSpeculation(
            recipe, parameters: pipeline.parameters(seed: 0), prompt: SamplingExactnessTests.prompt
        ).exact
        let result = ChiSquare(counts: counts, probabilities: exact)
        #expect(result.pValue > SamplingExactnessTests.threshold, "\(result)")
        #expect(lengths.count > 1, "blocks of several lengths: \(lengths)")
    }
}
