// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemFormat
import Testing

/// Every architecture that a file can describe, against the reference.
@Suite("Architectures") struct ArchitectureTests {
    @Test(
        "logits of random architectures: within 1e-4 of the reference",
        arguments: ModelRecipe.architectures + [
            .everything, .everythingTandem, .everythingPair, .postTandem,
        ])
    func logits(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let reference = NaiveTandem(try RandomModel(recipe))
        // Beyond every window; some tokens are unknown to a secondary with a smaller vocabulary.
        let tokens = fixture.tokens(41)
        let expected = reference.primaryLogits(tokens)
        let size = deviation(expected)
        #expect(size > 0.3 && size < 10, "logits of order 1 to 10, deviation \(size)")
        let session = try fixture.session(cache: .f32)
        for blockLength in [1, 3, 8] {
            let actual = try session.allLogits(tokens, blockLength: blockLength)
            let error = largestDifference(actual.primary, expected)
            #expect(error < 1e-4, "block length \(blockLength): \(error)")
            guard recipe.secondaryShape != nil else { continue }
            let drafted = reference.secondaryLogits(tokens) { $0 / blockLength * blockLength }
            #expect(deviation(drafted) > 0.3)
            #expect(drafted[0].count == recipe.sharedVocabulary)
            let other = largestDifference(actual.secondary, drafted)
            #expect(other < 1e-4, "secondary, block length \(blockLength): \(other)")
        }
    }

    @Test("random architectures differ in every member")
    func coverage() {
        let all = ModelRecipe.architectures.flatMap { [$0.primary, $0.secondaryShape].compactMap { $0 } }
            .map(\.architecture)
        #expect(Set(all.map(\.normPlacement)).count == 3)
        #expect(Set(all.map(\.queryKeyNorm)).count == 3)
        #expect(Set(all.map(\.activation)).count == 2)
        for flag in [\ModelArchitecture.attentionBias, \.outputBias, \.mlpBias] {
            #expect(Set(all.map { $0[keyPath: flag] }).count == 2)
        }
        for cap in [\ModelArchitecture.attentionScale, \.attentionSoftcap, \.logitSoftcap] {
            #expect(all.contains { $0[keyPath: cap] == nil } && all.contains { $0[keyPath: cap] != nil })
        }
        for factor in [\ModelArchitecture.embeddingScale, \.residualScale, \.logitScale] {
            #expect(all.contains { $0[keyPath: factor] == 1 } && all.contains { $0[keyPath: factor] != 1 })
        }
        #expect(Set(all.map(\.ropes.count)) == [0, 1, 2, 3])
        #expect(all.contains { $0.ropes.contains { $0.longAbove != nil } })
        #expect(all.contains { $0.layerRopes.contains(nil) })
        #expect(all.contains { $0.layerWindows.contains(1) } && all.contains { $0.layerWindows.contains(8) })
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let apply: @Sendable (inout ModelArchitecture) -> Void
    }

    /// Members whose effect can be taken away without other tensors.
    static let changes = [
        Change(testDescription: "activation") { $0.activation = .silu },
        Change(testDescription: "attention_scale") { $0.attentionScale = nil },
        Change(testDescription: "attention_softcap") { $0.attentionSoftcap = nil },
        Change(testDescription: "logit_softcap") { $0.logitSoftcap = nil },
        Change(testDescription: "embedding_scale") { $0.embeddingScale = 1 },
        Change(testDescription: "residual_scale") { $0.residualScale = 1 },
        Change(testDescription: "logit_scale") { $0.logitScale = 1 },
        Change(testDescription: "attention_factor") { $0.ropes[1] = .init(rotarySize: 16) },
        Change(testDescription: "layer_ropes, one for another") { $0.layerRopes[0] = nil },
        Change(testDescription: "layer_ropes, none") { $0.layerRopes[2] = 1 },
        Change(testDescription: "layer_windows") { $0.layerWindows[2] = 0 },
        Change(testDescription: "layer_windows by one") { $0.layerWindows[0] = 5 },
    ]

    /// The comparisons above would not show a member without effect.
    @Test("every member changes the logits", arguments: changes)
    func effect(_ change: Change) throws {
        let fixture = try EngineFixture(.everything)
        let tokens = fixture.tokens(41)
        var reference = NaiveTandem(try RandomModel(.everything))
        let actual = try fixture.session(cache: .f32).allLogits(tokens)
        #expect(largestDifference(actual.primary, reference.primaryLogits(tokens)) < 1e-4)
        change.apply(&reference.primary.architecture)
        let error = largestDifference(actual.primary, reference.primaryLogits(tokens))
        #expect(error > 0.01, "\(error)")
    }

    @Test("the length of the text chooses RoPE's long variant", arguments: [39, 40, 41, 60])
    func longVariant(length: Int) throws {
        let fixture = try EngineFixture(.everythingTandem)
        let reference = NaiveTandem(try RandomModel(.everythingTandem))
        let tokens = fixture.tokens(length)
        let session = try fixture.session(cache: .f32)
        let actual = try session.allLogits(tokens)
        #expect(largestDifference(actual.primary, reference.primaryLogits(tokens)) < 1e-4)
        let drafted = reference.secondaryLogits(tokens) { $0 / 2 * 2 }
        #expect(largestDifference(actual.secondary, drafted) < 1e-4)
        // The same first positions in a text that is longer, or shorter: other frequencies, and back again.
        let start = tokens.prefix(30)
        let alone = try session.allLogits(Array(start))
        #expect(largestDifference(alone.primary, reference.primaryLogits(Array(start))) < 1e-4)
        let isSame = alone.primary == Array(actual.primary.prefix(30))
        #expect(isSame == (length <= 40))
    }

    @Test(
        "a text that grows beyond RoPE's limit is run again, in every mode",
        arguments: [ModelRecipe.everythingTandem, .everythingPair])
    func growth(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let reference = NaiveTandem(try RandomModel(recipe))
        let prompt = fixture.tokens(30)
        let expected = reference.greedy(prompt, role: .primary, count: 30)
        let session = try fixture.session(cache: .f32)
        for mode in [DecodingMode.primary, .speed] {
            for gamma in mode == .speed ? [1, 4, 7] : [0] {
                // The second time, the session holds the longer text.
                for count in [30, 4, 30] {
                    let parameters = try GenerateParameters(maxTokens: count, mode: mode, draftMax: gamma)
                    let result = try session.generate(tokens: prompt, parameters: parameters)
                    #expect(result.tokens == Array(expected.prefix(count)), "\(mode), \(gamma), \(count)")
                }
            }
        }
        // A longer prompt, by the session that holds the shorter one.
        let longer = prompt + expected.prefix(15)
        let rest = try session.generate(tokens: longer, parameters: GenerateParameters(maxTokens: 15))
        #expect(rest.tokens == Array(expected.suffix(15)))
    }

    /// A rounding of the cache moves some activations to the next int8; with f32 caches few are moved.
    @Test(
        "quantised weights, f32 and f16 caches", arguments: [WeightFormat.int8(group: 64), .int4(group: 32)],
        [(KeyValueType.f32, 0.01), (.f16, 0.04)])
    func quantized(_ format: WeightFormat, cache: (type: KeyValueType, limit: Double)) throws {
        for recipe in [ModelRecipe.everythingTandem, .postTandem] {
            let stored = recipe.stored(as: format)
            let fixture = try EngineFixture(stored)
            let tokens = fixture.tokens(30)
            let actual = try fixture.session(cache: cache.type).allLogits(tokens, blockLength: 3)
            let reference = NaiveTandem(try RandomModel(stored), roundsActivations: true)
            let expected = reference.primaryLogits(tokens)
            let drafted = reference.secondaryLogits(tokens) { $0 / 3 * 3 }
            let errors = [
                meanDifference(actual.primary, expected) / deviation(expected),
                meanDifference(actual.secondary, drafted) / deviation(drafted),
            ]
            #expect(errors.allSatisfy { $0 < cache.limit }, "\(recipe.name): \(errors)")
        }
    }
}
