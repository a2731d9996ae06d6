// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Models of one file whose vocabularies have different sizes.
@Suite("Vocabularies of different sizes") struct VocabularyTests {
    @Test(
        "greedy text is the primary's own, and drafts are those of the reference",
        arguments: ModelRecipe.fewerTokens + ModelRecipe.moreTokens, [1, 3, 6])
    func greedy(_ recipe: ModelRecipe, gamma: Int) throws {
        let fixture = try EngineFixture(recipe)
        let reference = NaiveTandem(try RandomModel(recipe))
        var prompt = fixture.tokens(9, seed: UInt64(gamma))
        // The prompt ends with a token that only the primary may know.
        prompt.append(Int32(recipe.primary.vocabulary - 1))
        let expected = reference.speedGreedy(prompt, drafts: gamma, count: 50)
        let session = try fixture.session(cache: .f32)
        let speed = try session.generate(
            tokens: prompt,
            parameters: GenerateParameters(maxTokens: 50, mode: .speed, draftMax: gamma, draftMin: gamma))
        let alone = try session.generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 50, mode: .primary))
        #expect(speed.tokens == alone.tokens)
        #expect(speed.tokens == expected.tokens)
        #expect(speed.speculative.accepted == expected.accepted.reduce(0, +))
        #expect(speed.speculative.primaryPasses == expected.accepted.count)
        #expect(speed.speculative.accepted > 0)
        if recipe.sharedVocabulary < recipe.primary.vocabulary {
            // The test would show nothing without tokens that the secondary cannot draft.
            let unknown = speed.tokens.count { Int($0) >= recipe.sharedVocabulary }
            #expect(unknown > 2, "\(speed.tokens)")
        }
    }

    @Test("the standalone tandem follows the reference", arguments: [1, 3])
    func standalone(gamma: Int) throws {
        for recipe in [ModelRecipe.fewerTokens[1], .moreTokens[1]] {
            let fixture = try EngineFixture(recipe)
            let prompt = fixture.tokens(7)
            let result = try fixture.session(cache: .f32).generate(
                tokens: prompt,
                parameters: GenerateParameters(maxTokens: 40, mode: .tandem, draftMax: gamma, draftMin: gamma)
            )
            let expected = NaiveTandem(try RandomModel(recipe)).standaloneGreedy(
                prompt, drafts: gamma, count: 48)
            // The last block may be cut short by the limit.
            let whole = 40 - gamma
            #expect(result.tokens[..<whole] == expected[..<whole])
        }
    }

    @Test("a secondary alone keeps to tokens of both models, in what it reads and writes")
    func secondaryAlone() throws {
        for recipe in ModelRecipe.fewerTokens + ModelRecipe.moreTokens {
            let fixture = try EngineFixture(recipe)
            let session = try fixture.session(cache: .f32)
            let parameters = try GenerateParameters(maxTokens: 30, mode: .secondary)
            let prompt = fixture.tokens(6).map { $0 % Int32(recipe.sharedVocabulary) }
            let tokens = try session.generate(tokens: prompt, parameters: parameters).tokens
            #expect(
                tokens
                    == NaiveTandem(try RandomModel(recipe)).greedy(prompt, role: .secondary, count: 30))
            let first = recipe.sharedVocabulary
            #expect(throws: TandemError.invalidToken(id: first, vocabularySize: first)) {
                try session.generate(tokens: prompt + [Int32(first)], parameters: parameters)
            }
        }
    }

    @Test("evaluation compares the tokens of both models")
    func evaluation() throws {
        for recipe in ModelRecipe.fewerTokens + ModelRecipe.moreTokens {
            let fixture = try EngineFixture(recipe)
            let session = try fixture.session(cache: .f32)
            let tokens = fixture.tokens(40)
            let rows = try session.allLogits(tokens, blockLength: 2)
            let result = try session.evaluate(tokens: tokens, blockLength: 2)
            let secondary = try #require(result.secondary)
            var divergence = 0.0
            var count = 0
            for position in 0..<39 where Int(tokens[position + 1]) < recipe.sharedVocabulary {
                #expect(rows.secondary[position].count == recipe.sharedVocabulary)
                let p = naiveSoftmax(
                    rows.primary[position].prefix(recipe.sharedVocabulary).map(Double.init))
                let q = naiveSoftmax(rows.secondary[position].map(Double.init))
                divergence += naiveDivergence(p, q)
                count += 1
            }
            #expect(secondary.count == count && result.primary.count == 39)
            #expect(count == 39 || recipe.sharedVocabulary < recipe.primary.vocabulary)
            #expect(abs((secondary.referenceDivergence ?? 99) - divergence / Double(count)) < 1e-5)
        }
    }
}
