// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import Testing

/// The engine's logits against plain double-precision loops over the same weights.
@Suite("Logits against the reference") struct LogitParityTests {
    static let shapes: [ModelRecipe] = [.single, .singleTied, .singleWide, .tandem, .tandemDeep, .pair]

    @Test("f32 weights, f32 cache: within 1e-4", arguments: shapes)
    func float(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let reference = NaiveTandem(try RandomModel(recipe))
        let tokens = fixture.tokens(37)
        let expected = reference.primaryLogits(tokens)
        let size = deviation(expected)
        #expect(size > 0.8 && size < 8, "logits of order 1 to 10, deviation \(size)")

        let session = try fixture.session(cache: .f32)
        for blockLength in [1, 2, 3, 5, 8] {
            let actual = try session.allLogits(tokens, blockLength: blockLength)
            #expect(largestDifference(actual.primary, expected) < 1e-4)
            if recipe.secondaryShape != nil {
                let drafted = reference.secondaryLogits(tokens) { $0 / blockLength * blockLength }
                #expect(deviation(drafted) > 0.5)
                let error = largestDifference(actual.secondary, drafted)
                #expect(error < 1e-4, "secondary, block length \(blockLength): \(error)")
            } else {
                #expect(actual.secondary.allSatisfy { $0.isEmpty })
            }
        }
    }

    @Test("the block length matters to a tandem secondary, and to nothing else")
    func blockLength() throws {
        let tandem = try EngineFixture(.tandem).session(cache: .f32)
        let tokens = try EngineFixture(.tandem).tokens(24)
        let one = try tandem.allLogits(tokens, blockLength: 1)
        let three = try tandem.allLogits(tokens, blockLength: 3)
        #expect(one.primary == three.primary)
        #expect(one.secondary != three.secondary)
        let pair = try EngineFixture(.pair).session(cache: .f32)
        let first = try pair.allLogits(tokens, blockLength: 1)
        let second = try pair.allLogits(tokens, blockLength: 3)
        #expect(first.primary == second.primary)
        #expect(first.secondary == second.secondary)
    }

    @Test(
        "f16 cache: within 1 % of the logits' deviation",
        arguments: [ModelRecipe.single, .tandem, .tandemDeep])
    func halfCache(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let reference = NaiveTandem(try RandomModel(recipe))
        let tokens = fixture.tokens(37)
        let actual = try fixture.session(cache: .f16).allLogits(tokens, blockLength: 3)
        let expected = reference.primaryLogits(tokens)
        let error = largestDifference(actual.primary, expected) / deviation(expected)
        #expect(error < 0.01, "\(error)")
        #expect(error > 1e-6, "the cache is not stored as f16")
        if recipe.secondaryShape != nil {
            let drafted = reference.secondaryLogits(tokens) { $0 / 3 * 3 }
            let error = largestDifference(actual.secondary, drafted) / deviation(drafted)
            #expect(error < 0.01, "secondary \(error)")
        }
    }

    static let formats: [WeightFormat] = [
        .int8(group: 32), .int8(group: 64), .int8(group: 128), .int8(group: 0), .int4(group: 32),
        .int4(group: 64), .int4(group: 0), .int4z(group: 32), .int4z(group: 64), .int4z(group: 128),
        .int4z(group: 0),
    ]

    /// The bound has two parts: the reference that also rounds activations to int8 differs only where a value falls
    /// on the other side of a rounding boundary; the one that does not shows what the rounding of activations costs.
    @Test("int8 and int4 weights against their dequantised values", arguments: formats)
    func quantized(_ format: WeightFormat) throws {
        for recipe in [ModelRecipe.singleTied, .tandem, .tandemDeep] {
            let stored = recipe.stored(as: format)
            let fixture = try EngineFixture(stored)
            let model = try RandomModel(stored)
            let tokens = fixture.tokens(30)
            let actual = try fixture.session(cache: .f32).allLogits(tokens, blockLength: 3)

            let same = NaiveTandem(model, roundsActivations: true)
            let exact = NaiveTandem(model)
            check(
                actual.primary, same.primaryLogits(tokens), exact.primaryLogits(tokens), "\(stored) primary")
            if recipe.secondaryShape != nil {
                let start = { (position: Int) in position / 3 * 3 }
                check(
                    actual.secondary, same.secondaryLogits(tokens, blockStart: start),
                    exact.secondaryLogits(tokens, blockStart: start), "\(stored) secondary")
            }
        }
    }

    private func check(_ actual: [[Float]], _ same: [[Double]], _ exact: [[Double]], _ what: String) {
        let size = deviation(exact)
        let close = meanDifference(actual, same) / size
        let far = meanDifference(actual, exact) / size
        #expect(close < 0.01, "\(what): \(close) of the deviation from the reference with int8 activations")
        #expect(far < 0.05, "\(what): \(far) of the deviation from the reference with exact activations")
    }

    @Test("evaluate() sums what logits() shows")
    func evaluation() throws {
        let fixture = try EngineFixture(.tandem)
        let session = try fixture.session(cache: .f32)
        let tokens = fixture.tokens(40)
        let shown = try session.allLogits(tokens, blockLength: 3)
        let result = try session.evaluate(tokens: tokens, blockLength: 3)
        var entropy = (primary: 0.0, secondary: 0.0)
        var correct = (primary: 0, secondary: 0)
        var agreement = 0
        var variation = 0.0
        var divergence = 0.0
        for position in 0..<tokens.count - 1 {
            let next = Int(tokens[position + 1])
            let p = naiveSoftmax(shown.primary[position].map(Double.init))
            let q = naiveSoftmax(shown.secondary[position].map(Double.init))
            entropy.primary -= log(p[next])
            entropy.secondary -= log(q[next])
            if Int(naiveBest(p)) == next { correct.primary += 1 }
            if Int(naiveBest(q)) == next { correct.secondary += 1 }
            if naiveBest(p) == naiveBest(q) { agreement += 1 }
            for index in p.indices {
                variation += abs(p[index] - q[index]) / 2
                divergence += p[index] * (log(p[index]) - log(q[index]))
            }
        }
        let count = Double(tokens.count - 1)
        let secondary = try #require(result.secondary)
        #expect(result.primary.count == tokens.count - 1)
        #expect(abs(result.primary.crossEntropy - entropy.primary / count) < 1e-5)
        #expect(abs(result.primary.perplexity / exp(entropy.primary / count) - 1) < 1e-4)
        #expect(result.primary.accuracy == Double(correct.primary) / count)
        #expect(result.primary.referenceAccuracy == nil)
        #expect(abs(secondary.crossEntropy - entropy.secondary / count) < 1e-5)
        #expect(secondary.accuracy == Double(correct.secondary) / count)
        #expect(secondary.referenceAccuracy == Double(agreement) / count)
        #expect(abs((secondary.totalVariation ?? 9) - variation / count) < 1e-5)
        #expect(abs((secondary.referenceDivergence ?? 9) - divergence / count) < 1e-5)
        let alone = try EngineFixture(.single).session().evaluate(tokens: tokens)
        #expect(alone.secondary == nil)
    }
}
