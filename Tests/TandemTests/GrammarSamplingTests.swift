// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemGrammar
import Testing

/// Sampled SPEED under a grammar follows the primary's distribution over what the grammar allows, place by place.
@Suite("Sampled SPEED under a grammar is exact") struct GrammarSamplingTests {
    static func recipe(_ secondary: ModelRecipe.Secondary, seed: UInt64) -> ModelRecipe {
        var recipe = ModelRecipe(
            name: "small", primary: shape(hidden: 16), secondary: secondary, sharpness: 1.3, seed: seed)
        recipe.hasTokenizer = true
        recipe.endTokens = [0]
        return recipe
    }

    static func shape(hidden: Int) -> ModelShape {
        ModelShape(
            vocabulary: 257, hidden: hidden, layers: 1, heads: 2, keyValueHeads: 1, headSize: 8,
            intermediate: 24,
            positions: 32)
    }

    static let recipes = [
        recipe(.tandemCopy(noise: 0.5), seed: 202), recipe(.draft(shape(hidden: 12)), seed: 203),
    ]

    /// What may come second depends on the first letter.
    static let text = #"root ::= ("a" [ac] | "b" [a-f] | [c-f] [b-f]) [a-f] ([a-c] | "d")+"#
    static let prompt = ByteTokenizer.encode("ada")
    static let samples = 12_000

    @Test("four tokens follow the masked distribution", arguments: [0, 1], [0, 1])
    func exact(model: Int, pipeline: Int) throws {
        let recipe = Self.recipes[model]
        let session = try EngineFixture(recipe).session(maxDraft: 4, cache: .f32)
        let grammar = try Grammar(gbnf: Self.text)
        func sampling(_ seed: UInt64) throws -> SamplingParameters {
            pipeline == 0
                ? try SamplingParameters(temperature: 1.3, topK: 0, topP: 1, minP: 0, seed: seed)
                : try SamplingParameters(
                    temperature: 0.9, topK: 5, topP: 0.95, minP: 0.05, repeatPenalty: 1.3, repeatLastN: 3,
                    seed: seed)
        }
        let exact = try distribution(session, grammar, sampling(0))
        var counts = [Int](repeating: 0, count: exact.count)
        var (drafted, accepted) = (0, 0)
        for seed in 0..<Self.samples {
            let result = try session.generate(
                tokens: Self.prompt,
                parameters: GenerateParameters(
                    maxTokens: 5, mode: .speed, draftMax: 3, draftMin: 3,
                    sampling: sampling(UInt64(seed) &* 0x1234_5678_9ABC_DEF1), grammar: grammar))
            counts[place(result.tokens.prefix(4))] += 1
            drafted += result.speculative.drafted
            accepted += result.speculative.accepted
        }
        let test = ChiSquare(counts: counts, probabilities: exact)
        #expect(test.pValue > 1e-4, "\(test)")
        #expect(accepted > drafted / 10 && accepted < drafted * 19 / 20, "\(accepted) of \(drafted)")
        // The statistic sees it when a distribution is slightly another one.
        let other = ChiSquare(
            counts: counts, probabilities: try distribution(session, grammar, sampling(0), warp: 1.1))
        #expect(other.pValue < 1e-6)
    }

    /// Four letters as digits of base 6; the end token counts as the last.
    private func place(_ tokens: some Collection<Int32>) -> Int {
        tokens.reduce(0) { $0 * 6 + (($1 == 0 ? 102 : Int($1) - 1) - 97) }
    }

    /// Probabilities of the first four tokens by the primary's logits, masked by bytes and handed to the naive sampler.
    private func distribution(
        _ session: Session, _ grammar: Grammar, _ sampling: SamplingParameters, warp: Double = 1
    ) throws -> [Double] {
        var exact = [Double](repeating: 0, count: 6 * 6 * 6 * 6)
        var open: [(tokens: [Int32], probability: Double)] = [([], 1)]
        while let (tokens, probability) = open.popLast() {
            if tokens.count == 4 {
                exact[place(tokens)] += probability
                continue
            }
            let history = Self.prompt + tokens
            let logits = try session.allLogits(history).primary[history.count - 1]
            let text = ByteTokenizer.decode(tokens)
            var masked = [Double](repeating: -1e30, count: logits.count)
            for letter in "abcdef" where try GrammarTests.match(text + String(letter), grammar).isPrefix {
                let id = Int(ByteTokenizer.encode(String(letter))[0])
                masked[id] = Double(logits[id]) * warp
            }
            if try GrammarTests.match(text, grammar).isWhole { masked[0] = Double(logits[0]) * warp }
            let chances = naiveDistribution(masked, sampling, history: history)
            for (id, chance) in chances.enumerated() where chance > 0 {
                open.append((tokens + [Int32(id)], probability * chance))
            }
        }
        return exact
    }
}
