// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemFormat
import Testing

/// Drafts from a part of the vocabulary: the text stays the primary's own.
@Suite("Draft vocabulary") struct DraftVocabularyTests {
    /// Two tokens of three, of a vocabulary of 61.
    static let tokens = (0..<61).filter { $0 % 3 != 1 }
    static let recipes = [
        ModelRecipe.tandemNear.drafting(tokens: tokens), .pairNear.drafting(tokens: tokens),
        .tandem.drafting(tokens: tokens).stored(as: .int8(group: 32)),
        .tandemNear.drafting(router: RouterTests.router, tokens: tokens).stored(as: .int4(group: 32)),
    ]

    @Test("greedy text is the primary's own at every block length", arguments: recipes)
    func greedy(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let prompt = fixture.tokens(11)
        let alone = try fixture.session().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 64, mode: .primary))
        var accepted = 0
        for gamma in [1, 2, 3, 5, 8] {
            let speed = try fixture.session(threads: 2).generate(
                tokens: prompt,
                parameters: GenerateParameters(maxTokens: 64, mode: .speed, draftMax: gamma, draftMin: gamma))
            #expect(speed.tokens == alone.tokens, "block length \(gamma)")
            accepted += speed.speculative.accepted
        }
        if recipe.copyNoise != nil { #expect(accepted > 0) }
        let adaptive = try fixture.session().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 64, mode: .speed))
        #expect(adaptive.tokens == alone.tokens)
    }

    @Test("a copy of the primary drafts every token it may draft, and no other")
    func drafts() throws {
        let fixture = try EngineFixture(.tandemEqual.drafting(tokens: Self.tokens))
        let prompt = fixture.tokens(11)
        let parameters = try GenerateParameters(maxTokens: 64, mode: .speed, draftMax: 1, draftMin: 1)
        let speed = try fixture.session().generate(tokens: prompt, parameters: parameters)
        let whole = try EngineFixture(.tandemEqual).session().generate(tokens: prompt, parameters: parameters)
        #expect(speed.tokens == whole.tokens)
        // With one draft a pass, a draft is accepted exactly when the token may be drafted.
        var expected = (drafted: 0, accepted: 0)
        var place = 1
        while place < 64 {
            guard place + 1 < 64 else { break }
            expected.drafted += 1
            let isKept = Self.tokens.contains(Int(whole.tokens[place]))
            expected.accepted += isKept ? 1 : 0
            place += isKept ? 2 : 1
        }
        #expect(speed.speculative.drafted == expected.drafted)
        #expect(speed.speculative.accepted == expected.accepted)
        #expect(expected.accepted > 0 && expected.accepted < expected.drafted)
    }

    @Test("the secondary's own modes and evaluations keep the whole vocabulary")
    func standalone() throws {
        let part = try EngineFixture(.tandemNear.drafting(tokens: Self.tokens))
        let whole = try EngineFixture(.tandemNear)
        let prompt = part.tokens(11)
        for mode in [DecodingMode.tandem, .secondary] {
            let parameters = try GenerateParameters(maxTokens: 64, mode: mode, draftMax: 3, draftMin: 3)
            let tokens = try part.session().generate(tokens: prompt, parameters: parameters).tokens
            #expect(tokens == (try whole.session().generate(tokens: prompt, parameters: parameters)).tokens)
            #expect(tokens.contains { !Self.tokens.contains(Int($0)) })
        }
        #expect(try part.session().evaluate(tokens: prompt) == (try whole.session().evaluate(tokens: prompt)))
    }

    @Test("several sessions draft in one pass, and others prompt in it")
    func together() async throws {
        let fixture = try EngineFixture(.tandemNear.drafting(tokens: Self.tokens))
        let model = try fixture.load(threads: 2)
        let prompts = (0..<4).map { fixture.tokens(5 + 7 * $0, seed: UInt64($0)) }
        let expected = try prompts.map {
            try fixture.session().generate(
                tokens: $0, parameters: GenerateParameters(maxTokens: 40, mode: .primary)
            ).tokens
        }
        let actual = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (index, prompt) in prompts.enumerated() {
                group.addTask {
                    let parameters = try GenerateParameters(
                        maxTokens: 40, mode: .speed, draftMax: 3, draftMin: 3)
                    return (
                        index, try model.makeSession().generate(tokens: prompt, parameters: parameters).tokens
                    )
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (index, tokens) in expected.enumerated() { #expect(actual[index] == tokens) }
    }

    @Test(
        "sampled text follows the primary's distribution",
        arguments: [0, 2].map { SamplingExactnessTests.models[$0].drafting(tokens: [0, 2, 3, 7]) })
    func sampled(_ recipe: ModelRecipe) throws {
        let pipeline = SamplingExactnessTests.pipelines[0]
        let session = try EngineFixture(recipe).session(maxDraft: 4, cache: .f32)
        let size = recipe.primary.vocabulary
        var counts = [Int](repeating: 0, count: size * size * size)
        var accepted = 0
        for seed in 0..<SamplingExactnessTests.samples {
            let result = try session.generate(
                tokens: SamplingExactnessTests.prompt,
                parameters: GenerateParameters(
                    maxTokens: 5, mode: .speed, draftMax: 3, draftMin: 3,
                    sampling: pipeline.parameters(seed: UInt64(seed) &* 0x1234_5678_9ABC_DEF1)))
            let tokens = result.tokens.map(Int.init)
            counts[(tokens[1] * size + tokens[2]) * size + tokens[3]] += 1
            accepted += result.speculative.accepted
        }
        let exact = try NaiveSpeculation(
            recipe, parameters: pipeline.parameters(seed: 0), prompt: SamplingExactnessTests.prompt
        ).exact
        let result = ChiSquare(counts: counts, probabilities: exact)
        #expect(result.pValue > SamplingExactnessTests.threshold, "\(result)")
        #expect(accepted > 1000)
    }

    @Test(
        "ids that are none, or out of order, are refused by name",
        arguments: [[0, 2, 2], [5, 4, 9], [0, 1, 61]])
    func badIds(_ tokens: [Int]) throws {
        #expect {
            _ = try EngineFixture(.tandemNear.drafting(tokens: tokens)).load()
        } throws: { error in
            guard case TandemError.format(.invalidField(let name, _, _)) = error else { return false }
            return name.hasPrefix("tensors[drafting.tokens]")
        }
    }
}
