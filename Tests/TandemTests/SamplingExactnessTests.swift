// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Sampled SPEED follows the primary's own distribution exactly (chi-square over sequences of tokens).
@Suite("Sampled SPEED is exact") struct SamplingExactnessTests {
    static let samples = 20_000
    /// Two-sided doubt: a correct engine fails one of the tests below once in some thousand seeds; seeds are fixed.
    static let threshold = 1e-4

    struct Pipeline: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var temperature: Float = 1
        var topK = 0
        var topP: Float = 1
        var minP: Float = 0
        var repeatPenalty: Float = 1
        var presence: Float = 0
        var frequency: Float = 0

        func parameters(seed: UInt64) throws -> SamplingParameters {
            try SamplingParameters(
                temperature: temperature, topK: topK, topP: topP, minP: minP, repeatPenalty: repeatPenalty,
                repeatLastN: 3, presencePenalty: presence, frequencyPenalty: frequency, seed: seed)
        }
    }

    static let pipelines = [
        Pipeline(testDescription: "temperature", temperature: 1.3),
        Pipeline(testDescription: "top-k", temperature: 1.1, topK: 4),
        Pipeline(testDescription: "top-p", temperature: 1.2, topP: 0.85),
        Pipeline(testDescription: "min-p", temperature: 1.4, minP: 0.08),
        Pipeline(
            testDescription: "penalties", temperature: 1, repeatPenalty: 1.4, presence: 0.5, frequency: 0.4),
        Pipeline(
            testDescription: "all", temperature: 0.9, topK: 6, topP: 0.95, minP: 0.05, repeatPenalty: 1.2,
            presence: -0.3, frequency: 0.2),
    ]

    /// Small models over 8 tokens, so that every sequence of three can be counted.
    static func recipe(_ secondary: ModelRecipe.Secondary, seed: UInt64) -> ModelRecipe {
        ModelRecipe(
            name: "small", primary: small(hidden: 16), secondary: secondary, sharpness: 1.3, seed: seed)
    }

    static func small(hidden: Int) -> ModelShape {
        ModelShape(
            vocabulary: 8, hidden: hidden, layers: 1, heads: 2, keyValueHeads: 1, headSize: 8,
            intermediate: 24,
            positions: 32)
    }

    static let models = [
        recipe(.tandem(small(hidden: 12), layerMap: [1]), seed: 101),
        recipe(.tandemCopy(noise: 0.5), seed: 102),
        recipe(.draft(small(hidden: 12)), seed: 103),
        recipe(.draftCopy(noise: 0.5), seed: 104),
    ]

    /// Architectures with all members in use, and vocabularies of different sizes, as tandem and as pair.
    static let mixed: [ModelRecipe] = {
        var shape = small(hidden: 16)
        shape.architecture = ModelShape.everything.architecture
        shape.architecture.ropes = [.init(rotarySize: 4), .init(rotarySize: 8, attentionFactor: 1.1)]
        shape.architecture.layerRopes = [1]
        shape.architecture.layerWindows = [3]
        var other = small(hidden: 12)
        other.architecture.normPlacement = .post
        other.architecture.queryKeyNorm = .row
        var recipes = [
            ModelRecipe(
                name: "small", primary: shape, secondary: .tandem(other, layerMap: [1]), sharpness: 1.3,
                seed: 105),
            ModelRecipe(
                name: "small", primary: shape, secondary: .draftCopy(noise: 0.4), sharpness: 1.3, seed: 106),
        ]
        recipes[0].secondaryVocabulary = 11
        recipes[1].secondaryVocabulary = 6
        return recipes
    }()

    struct Case: Sendable, CustomTestStringConvertible {
        let recipe: ModelRecipe
        let pipeline: Pipeline
        let gamma: Int
        var testDescription: String {
            "\(recipe.layerMap == nil ? "pair" : "tandem"), \(pipeline.testDescription), block length \(gamma)"
        }
    }

    static let cases: [Case] =
        pipelines.enumerated().flatMap { index, pipeline in
            // Every pipeline with a tandem and a pair, with block lengths 1 and 3.
            [
                Case(recipe: models[index % 2], pipeline: pipeline, gamma: 3),
                Case(recipe: models[1 - index % 2], pipeline: pipeline, gamma: 1),
                Case(recipe: models[2 + index % 2], pipeline: pipeline, gamma: 3),
                Case(recipe: models[3 - index % 2], pipeline: pipeline, gamma: 1),
            ]
        } + [
            Case(recipe: mixed[0], pipeline: pipelines[0], gamma: 3),
            Case(recipe: mixed[1], pipeline: pipelines[0], gamma: 3),
            Case(recipe: mixed[1], pipeline: pipelines[4], gamma: 2),
        ]

    @Test("three tokens follow the primary's distribution", arguments: cases)
    func speed(_ test: Case) throws {
        let run = try sample(test.recipe, test.pipeline, mode: .speed, gamma: test.gamma)
        let exact = try distribution(test.recipe, test.pipeline)
        let result = ChiSquare(counts: run.counts, probabilities: exact)
        #expect(result.degreesOfFreedom >= 20, "\(result)")
        #expect(result.pValue > Self.threshold, "\(result)")
        let share = Double(run.accepted) / Double(run.drafted)
        #expect(share > 0.05 && share < 0.95, "drafts must be both accepted and rejected: \(share)")
    }

    /// Drafts and rows for nothing, so that trees are as large as they may be.
    @Test("with trees, three tokens follow the primary's distribution", arguments: models, [0, 4, 5])
    func trees(_ recipe: ModelRecipe, pipeline: Int) throws {
        let pipeline = Self.pipelines[pipeline]
        let run = try sample(recipe, pipeline, mode: .speed, gamma: nil)
        let result = try ChiSquare(counts: run.counts, probabilities: distribution(recipe, pipeline))
        #expect(result.degreesOfFreedom >= 20, "\(result)")
        #expect(result.pValue > Self.threshold, "\(result)")
        #expect(run.drafted > 5 * Self.samples, "trees, not chains: \(run.drafted)")
    }

    @Test("the primary alone follows its distribution", arguments: pipelines)
    func primary(_ pipeline: Pipeline) throws {
        let run = try sample(Self.models[0], pipeline, mode: .primary, gamma: 0)
        let exact = try distribution(Self.models[0], pipeline)
        let result = ChiSquare(counts: run.counts, probabilities: exact)
        #expect(result.pValue > Self.threshold, "\(result)")
    }

    /// A decoder that kept every draft would be the standalone tandem: the same statistic must refuse it.
    @Test("accepting every draft is found out", arguments: [0, 1])
    func acceptAll(model: Int) throws {
        let recipe = Self.models[model]
        let run = try sample(recipe, Self.pipelines[0], mode: .tandem, gamma: 3)
        let exact = try distribution(recipe, Self.pipelines[0])
        #expect(ChiSquare(counts: run.counts, probabilities: exact).pValue < 1e-9)
    }

    @Test("a secondary alone is found out")
    func secondaryAlone() throws {
        let run = try sample(Self.models[2], Self.pipelines[0], mode: .secondary, gamma: 0)
        let exact = try distribution(Self.models[2], Self.pipelines[0])
        #expect(ChiSquare(counts: run.counts, probabilities: exact).pValue < 1e-9)
    }

    /// Speculative sampling by the reference with errors made on purpose: the statistic tells them from the right rule.
    @Test("wrong acceptance rules are found out", arguments: SpeculationRule.allCases)
    func wrongRules(_ rule: SpeculationRule) throws {
        let recipe = Self.models[0]
        let tree = try NaiveSpeculation(
            recipe, parameters: Self.pipelines[0].parameters(seed: 0), prompt: Self.prompt)
        let counts = tree.sample(Self.samples, rule: rule, seed: 77)
        let result = ChiSquare(counts: counts, probabilities: tree.exact)
        if rule == .correct {
            #expect(result.pValue > Self.threshold, "\(result)")
        } else {
            #expect(result.pValue < 1e-9, "\(result)")
        }
    }

    // MARK: - Samples

    static let prompt: [Int32] = [3, 1, 6, 1]

    /// Counts of the second to fourth generated tokens: the first belongs to the prompt's pass, so these are the first
    /// that drafts take part in, and a fifth makes room for a whole block of three.
    private func sample(
        _ recipe: ModelRecipe, _ pipeline: Pipeline, mode: DecodingMode, gamma: Int?
    ) throws -> (counts: [Int], drafted: Int, accepted: Int) {
        let session = try EngineFixture(recipe).load().makeSession(
            options: SessionOptions(maxDraft: 4, maxTree: 24, keyValueType: .f32))
        try session.fixDraftCosts(PassCosts(draftOverPass: 0, rowOverPass: 0))
        let size = recipe.primary.vocabulary
        var counts = [Int](repeating: 0, count: size * size * size)
        var drafted = 0
        var accepted = 0
        for seed in 0..<Self.samples {
            let result = try session.generate(
                tokens: Self.prompt,
                parameters: GenerateParameters(
                    maxTokens: 5, mode: mode, draftMax: gamma, draftMin: gamma,
                    sampling: pipeline.parameters(seed: UInt64(seed) &* 0x1234_5678_9ABC_DEF1)))
            let tokens = result.tokens.map(Int.init)
            counts[(tokens[1] * size + tokens[2]) * size + tokens[3]] += 1
            drafted += result.speculative.drafted
            accepted += result.speculative.accepted
        }
        return (counts, drafted, accepted)
    }

    private func distribution(_ recipe: ModelRecipe, _ pipeline: Pipeline) throws -> [Double] {
        try NaiveSpeculation(recipe, parameters: pipeline.parameters(seed: 0), prompt: Self.prompt).exact
    }
}
