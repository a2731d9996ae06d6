// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Tandem
import Testing

/// One distribution at a time, against the plain pipeline and at its edges.
@Suite("Sampler") struct SamplerTests {
    /// The engine's distribution as a dense table.
    private func distribution(
        _ logits: [Float], _ parameters: SamplingParameters, history: [Int32] = [], instructionSet: Int = 0
    ) throws -> [Double] {
        let table = unsafe try #require(tk_isa_at(instructionSet))
        var sampler = unsafe Sampler(parameters: parameters, kernels: table.pointee)
        let result = unsafe logits.withUnsafeBufferPointer { buffer in
            unsafe buffer.baseAddress.map {
                unsafe sampler.distribution(logits: $0, vocabularySize: buffer.count, history: history)
            }
        }
        let found = try #require(result)
        if case .sparse(let ids, let probabilities) = found {
            #expect(ids.count == probabilities.count && !ids.isEmpty)
            #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 }, "ids ascend")
        }
        return logits.indices.map { Double(found.probability(of: Int32($0))) }
    }

    private func expectPoint(
        _ dense: [Double], _ token: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let expected = dense.indices.map { $0 == token ? 1.0 : 0 }
        #expect(dense == expected, sourceLocation: sourceLocation)
    }

    @Test("random logits and parameters against the reference")
    func reference() throws {
        var random = TestRandom(seed: 5)
        for round in 0..<1500 {
            let size = 1 + random.index(below: round % 10 == 0 ? 700 : 40)
            let logits = random.normals(size, deviation: 3)
            let parameters = try SamplingParameters(
                temperature: Float(0.2 + 2 * random.uniform()),
                topK: random.uniform() < 0.3 ? 0 : 1 + random.index(below: size + 5),
                topP: random.uniform() < 0.4 ? 1 : Float(random.uniform()),
                minP: random.uniform() < 0.4 ? 0 : Float(random.uniform() * 0.5),
                repeatPenalty: Float(0.7 + random.uniform()),
                repeatLastN: random.index(below: 12) - 1,
                presencePenalty: Float(random.normal() * 0.3),
                frequencyPenalty: Float(random.normal() * 0.3))
            let history = (0..<random.index(below: 15)).map { _ in Int32(random.index(below: size)) }
            let actual = try distribution(
                logits, parameters, history: history, instructionSet: round % Int(tk_isa_count()))
            let expected = naiveDistribution(logits.map(Double.init), parameters, history: history)
            let sum = actual.reduce(0, +)
            #expect(abs(sum - 1) < 1e-5)
            let error = zip(actual, expected).map { abs($0 - $1) }.max() ?? 1
            #expect(error < 1e-5, "round \(round), \(size) tokens, \(parameters)")
        }
    }

    @Test("all instruction sets give the same bits")
    func instructionSets() throws {
        var random = TestRandom(seed: 6)
        let logits = random.normals(301, deviation: 4)
        for parameters in [
            try SamplingParameters(temperature: 0.7, topK: 0, topP: 1, minP: 0),
            try SamplingParameters(), try SamplingParameters(topK: 50, topP: 0.3, minP: 0),
        ] {
            let scalar = try distribution(logits, parameters)
            for index in 1..<Int(tk_isa_count()) {
                #expect(try distribution(logits, parameters, instructionSet: index) == scalar)
            }
        }
    }

    @Test("greedy takes the first of equal maxima")
    func ties() throws {
        expectPoint(try distribution([1, 3, 2, 3, 3], .greedy), 1)
        let penalised = try SamplingParameters(temperature: 0, repeatPenalty: 2)
        expectPoint(try distribution([1, 3, 2, 3, 3], penalised, history: [1]), 3)
        expectPoint(try distribution([1, 3, 2, 3, 3], SamplingParameters(temperature: 1, topK: 1)), 1)
        // Of equals at the edge of top-k the lower id stays.
        let two = try distribution(
            [5, 7, 5, 5], SamplingParameters(temperature: 1, topK: 2, topP: 1, minP: 0))
        #expect(two[0] > 0 && two[1] > 0 && two[2] == 0 && two[3] == 0)
        var many = [Float](repeating: 1, count: 100)
        many[50] = 2
        let three = try distribution(many, SamplingParameters(temperature: 1, topK: 3, topP: 1, minP: 0))
        #expect(three.indices.filter { three[$0] > 0 } == [0, 1, 50])
    }

    @Test("minP 1 keeps the best and its equals")
    func minPOne() throws {
        let kept = try distribution(
            [2, 4, 4, 3.999], SamplingParameters(temperature: 1, topK: 0, topP: 1, minP: 1))
        #expect(kept == [0, 0.5, 0.5, 0])
    }

    @Test("a tiny topP keeps one token, topK beyond the vocabulary keeps all")
    func extremes() throws {
        let logits: [Float] = [0.1, 0.3, 0.2]
        expectPoint(
            try distribution(
                logits, SamplingParameters(temperature: 1, topK: 0, topP: .leastNonzeroMagnitude)), 1)
        let all = try distribution(logits, SamplingParameters(temperature: 1, topK: 1000, topP: 1, minP: 0))
        #expect(all.allSatisfy { $0 > 0.3 })
        expectPoint(try distribution([7], SamplingParameters()), 0)
    }

    @Test("NaN is impossible, -inf too, +inf certain")
    func notFinite() throws {
        let open = try SamplingParameters(temperature: 1, topK: 0, topP: 1, minP: 0)
        for parameters in [open, try SamplingParameters(topK: 2), try SamplingParameters(topP: 0.9)] {
            let kept = try distribution([.nan, 1, -.infinity, 1], parameters)
            #expect(kept == [0, 0.5, 0, 0.5])
        }
        for parameters in [open, .greedy, try SamplingParameters(temperature: 0, repeatPenalty: 1.1)] {
            expectPoint(try distribution([1, .infinity, .nan, .infinity], parameters, history: [0]), 1)
            expectPoint(try distribution([.nan, .nan, .nan], parameters, history: [1]), 0)
            expectPoint(try distribution([-.infinity, -.infinity], parameters, history: [0]), 0)
            expectPoint(try distribution([.nan, -3, .nan], parameters), 1)
        }
        expectPoint(try distribution([-.greatestFiniteMagnitude, .greatestFiniteMagnitude], open), 1)
    }

    @Test(
        "the smallest and the largest temperatures",
        arguments: [
            Float.leastNonzeroMagnitude, 0x1p-130, 1e-37, 1e-30, 1e-3,
        ])
    func smallTemperature(_ temperature: Float) throws {
        let wide = try SamplingParameters(temperature: temperature, topK: 0, topP: 1, minP: 0)
        expectPoint(try distribution([1, 2, 1.5], wide), 1)
        let tie = try distribution([2, 2, 1.5], wide)
        #expect(tie == [0.5, 0.5, 0])
        expectPoint(try distribution([1, 2, 1.5], SamplingParameters(temperature: temperature)), 1)
        let hot = try distribution(
            [1, 2, 3], SamplingParameters(temperature: 100, topK: 0, topP: 1, minP: 0))
        #expect(hot.allSatisfy { abs($0 - 1 / 3) < 0.01 })
    }

    @Test("penalties look at the window only, and ignore ids outside the vocabulary")
    func window() throws {
        let logits: [Float] = [2, 2, 2]
        let two = try SamplingParameters(
            temperature: 1, topK: 0, topP: 1, minP: 0, repeatLastN: 2, presencePenalty: 100)
        let recent = try distribution(logits, two, history: [0, 1, 1])
        #expect(abs(recent[0] - 0.5) < 1e-6 && recent[1] == 0 && abs(recent[2] - 0.5) < 1e-6)
        let foreign = try distribution(logits, two, history: [-4, 3])
        #expect(foreign.allSatisfy { abs($0 - 1 / 3) < 1e-6 })
        let none = try SamplingParameters(
            temperature: 1, topK: 0, topP: 1, minP: 0, repeatLastN: 0, presencePenalty: 100)
        #expect(try distribution(logits, none, history: [0, 0]).allSatisfy { abs($0 - 1 / 3) < 1e-6 })
        let repeated = try SamplingParameters(temperature: 0, repeatPenalty: 4)
        // Positive logits shrink, negative ones grow more negative.
        expectPoint(try distribution([3, 1, 0], repeated, history: [0]), 1)
        expectPoint(try distribution([-1, -3, -5], repeated, history: [0]), 1)
    }

    // MARK: - Drawing

    @Test("the generator is SplitMix64 and uniform in [0, 1)")
    func generator() {
        var generator = SeededGenerator(seed: 1_234_567)
        // Published first outputs for this seed.
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
        var counts = [Int](repeating: 0, count: 16)
        for _ in 0..<64_000 {
            let value = generator.uniform()
            guard value >= 0, value < 1 else {
                Issue.record("\(value)")
                return
            }
            counts[Int(value * 16)] += 1
        }
        #expect(
            ChiSquare(counts: counts, probabilities: [Double](repeating: 1 / 16, count: 16)).pValue > 1e-4)
    }

    @Test(
        "the tests' own chi-square tail",
        arguments: [
            (3.841459, 1, 0.05), (18.307038, 10, 0.05), (29.588298, 10, 0.001), (124.342113, 100, 0.05),
            (9.341818, 10, 0.5), (500, 510, 0.6149),
        ])
    func tail(statistic: Double, degrees: Int, expected: Double) {
        #expect(abs(upperGamma(Double(degrees) / 2, statistic / 2) - expected) < 2e-3)
    }
}
