// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

/// Vectors of texts against the naive transformer.
@Suite("Embeddings") struct SessionEmbeddingTests {
    /// Pooled and normalised hidden states, computed the plain way.
    private func naive(_ recipe: ModelRecipe, _ tokens: [TokenID], _ pooling: EmbeddingPooling) throws
        -> [Double]
    {
        let model = NaiveTransformer(try RandomModel(recipe), role: .primary, shape: recipe.primary)
        let streams = try #require(model.forward(tokens).streams.last)
        let states = streams.map { model.normalise($0, model.norm) }
        var pooled = states[states.count - 1]
        if pooling == .mean {
            pooled = pooled.indices.map { index in states.reduce(0) { $0 + $1[index] } / Double(states.count)
            }
        }
        let length = pooled.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return pooled.map { $0 / length }
    }

    @Test(
        "they are the naive ones",
        arguments: [ModelRecipe.single, .singleTied, .tandem, .pairNear, .everything])
    func parity(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        for length in [1, 2, 17, 50] {
            let tokens = fixture.tokens(length)
            for pooling in EmbeddingPooling.allCases {
                let actual = try fixture.session(cache: .f32).embedding(tokens: tokens, pooling: pooling)
                let expected = try naive(recipe, tokens, pooling)
                #expect(largestDifference([actual], [expected]) < 1e-5)
            }
        }
    }

    @Test("blocks, threads and instruction sets do not change a bit; what the session held does not matter")
    func sameBits() throws {
        let fixture = try EngineFixture(ModelRecipe.pairNear.stored(as: .int8(group: 32)))
        let tokens = fixture.tokens(33)
        let scalar = try fixture.session(instructionSet: "scalar", batch: 1)
        let expected = try EmbeddingPooling.allCases.map {
            try scalar.embedding(tokens: tokens, pooling: $0).map(\.bitPattern)
        }
        let used = try fixture.session(threads: 2, batch: 7)
        _ = try used.generate(
            tokens: fixture.tokens(20, seed: 8), parameters: GenerateParameters(maxTokens: 9))
        let actual = try EmbeddingPooling.allCases.map {
            try used.embedding(tokens: tokens, pooling: $0).map(\.bitPattern)
        }
        #expect(actual == expected && expected[0] != expected[1])
        // The text is now in the caches.
        #expect(used.tokens == tokens)
        let parameters = try GenerateParameters(maxTokens: 6, draftMax: 2, draftMin: 2)
        let after = try used.generate(tokens: tokens, parameters: parameters)
        #expect(
            after.tokens == (try fixture.session().generate(tokens: tokens, parameters: parameters).tokens))
    }

    @Test("texts, errors, and a model without a session")
    func texts() throws {
        let fixture = try EngineFixture(SessionTextTests.recipe)
        let model = try fixture.load()
        let session = try model.makeSession(options: SessionOptions(contextSize: 10, maxDraft: 0))
        let vector = try session.embedding(for: "heron", pooling: .last)
        #expect(vector == (try session.embedding(tokens: ByteTokenizer.encode("heron"), pooling: .last)))
        #expect(vector == (try model.embedding(for: "heron", pooling: .last)))
        #expect(vector.count == model.manifest.primary.hiddenSize)
        #expect(try model.embedding(for: "h").count == vector.count)
        #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
        #expect(try session.embedding(for: "0123456789").count == vector.count)
        #expect(throws: TandemError.promptTooLong(tokens: 11, contextSize: 10)) {
            try session.embedding(for: "0123456789a")
        }
        #expect(throws: TandemError.emptyPrompt) { try session.embedding(for: "") }
        #expect(throws: TandemError.emptyPrompt) { try model.embedding(for: "") }
        #expect(throws: TandemError.invalidToken(id: 260, vocabularySize: 260)) {
            try session.embedding(tokens: [1, 260])
        }
        let token = CancellationToken()
        token.cancel()
        #expect(throws: TandemError.cancelled) { try session.embedding(for: "abc", cancellation: token) }
        let silent = try EngineFixture(.single).load()
        #expect(throws: TandemError.noTokenizer) { try silent.embedding(for: "x") }
    }
}
