// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Generations that run at the same time give what each gives alone.
@Suite("Combined passes") struct CombinedPassTests {
    static let recipes: [ModelRecipe] = [
        .tandemNear, .tandemNear.stored(as: .int8(group: 64)), .pairNear.stored(as: .int4(group: 32)), .wide,
        .tandemDeep, .single, .everythingTandem.stored(as: .int8(group: 32)), .everythingPair, .postTandem,
    ]

    /// Jobs of all modes, prompt lengths, block lengths, samplings and priorities.
    static func jobs(_ fixture: EngineFixture, _ model: TandemModel, seed: UInt64 = 0) throws -> [Job] {
        var jobs: [Job] = []
        let modes = model.availableModes
        for index in 0..<8 {
            let mode = modes[index % modes.count]
            let sampling =
                index % 3 == 1
                ? try SamplingParameters(temperature: 0.9, topK: 20, seed: UInt64(index) + seed) : .greedy
            jobs.append(
                Job(
                    fixture.tokens([3, 70, 1, 20, 9, 40, 2, 33][index], seed: UInt64(index) + seed),
                    try GenerateParameters(
                        maxTokens: [50, 20, 64, 31, 48, 17, 40, 55][index], mode: mode,
                        draftMax: [nil, 4, 0, 7][index % 4], draftMin: [nil, 2, 0, 7][index % 4],
                        sampling: sampling, priority: index % 4 == 3 ? .background : .interactive)))
        }
        return jobs
    }

    @Test("eight sessions at a time give the same tokens as each alone", arguments: recipes)
    func sameTokens(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        for (round, set) in availableInstructionSets().enumerated() {
            let threads = round % 2 + 1
            let model = try fixture.load(threads: threads, instructionSet: set)
            let jobs = try Self.jobs(fixture, model, seed: UInt64(100 * round))
            let alone = try model.runAlone(jobs)
            let options = try SessionOptions(batchSize: [64, 5, 17][round % 3])
            for (index, result) in model.run(jobs, options: options).enumerated() {
                let tokens = try result.get().tokens
                #expect(tokens == alone[index], "\(set), \(threads) threads, job \(index)")
                #expect(tokens.count == jobs[index].parameters.maxTokens)
            }
        }
    }

    @Test("passes really are combined")
    func combined() throws {
        let fixture = try EngineFixture(.wide)
        let model = try fixture.load(threads: 2)
        let jobs = try (0..<8).map { index in
            Job(
                fixture.tokens(4, seed: UInt64(index)),
                try GenerateParameters(maxTokens: 120, mode: .primary))
        }
        for result in model.run(jobs) { #expect(try result.get().tokens.count == 120) }
        let statistics = model.statistics
        #expect(statistics.running == 0 && statistics.queued == 0)
        #expect(statistics.generatedTokens == 8 * 120)
        #expect(statistics.promptTokens == 8 * 4)
        #expect(statistics.primaryRows == 8 * (4 + 119))
        #expect(statistics.primaryPasses < 600, "of \(8 * 120) that each would need alone")
        #expect(statistics.secondaryPasses == 0 && statistics.drafted == 0)
        #expect(statistics.passSeconds > 0)
    }

    @Test("log-probabilities are the same bits in combined passes")
    func logprobs() throws {
        let fixture = try EngineFixture(.everythingTandem)
        let model = try fixture.load(threads: 2)
        let parameters = try GenerateParameters(maxTokens: 60, mode: .speed, logprobs: 5)
        let jobs = (0..<6).map { Job(fixture.tokens(5 + $0, seed: UInt64($0)), parameters) }
        let alone = try jobs.map { job in
            try model.makeSession().generate(tokens: job.prompt, parameters: job.parameters).logprobs
        }
        for (index, result) in model.run(jobs).enumerated() {
            #expect(try result.get().logprobs == alone[index])
        }
        #expect(alone.allSatisfy { $0.count == 60 })
    }

    @Test("evaluations beside generations give the same bits")
    func evaluations() throws {
        let fixture = try EngineFixture(.tandemNear)
        let model = try fixture.load(threads: 2)
        let tokens = fixture.tokens(90)
        let expected = try model.makeSession().allLogits(tokens, blockLength: 3)
        let generated = try model.makeSession().generate(
            tokens: tokens, parameters: GenerateParameters(maxTokens: 60)
        ).tokens
        let results = concurrently(6) { index in
            let session = try model.makeSession()
            if index % 2 == 0 {
                return try session.generate(tokens: tokens, parameters: GenerateParameters(maxTokens: 60))
                    .tokens == generated
            }
            let logits = try session.allLogits(tokens, blockLength: index)
            return haveSameBits(logits.primary, expected.primary)
        }
        #expect(try results.allSatisfy { try $0.get() })
    }

    @Test("a session's later turns find its caches as they were left")
    func turns() throws {
        let fixture = try EngineFixture(.tandemNear)
        let model = try fixture.load(threads: 2)
        @Sendable func talk(_ index: Int) throws -> [Int32] {
            let session = try model.makeSession()
            var text = fixture.tokens(6 + index, seed: UInt64(index))
            for turn in 0..<4 {
                let mode: DecodingMode = [.speed, .tandem, .primary, .secondary][(turn + index) % 4]
                text += try session.generate(
                    tokens: text, parameters: GenerateParameters(maxTokens: 12, mode: mode)
                ).tokens
                text += fixture.tokens(3, seed: UInt64(turn))
            }
            return text
        }
        let alone = try (0..<6).map(talk)
        let together = concurrently(6, talk)
        for (expected, result) in zip(alone, together) { #expect(try result.get() == expected) }
    }
}
