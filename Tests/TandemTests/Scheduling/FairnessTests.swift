// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemFormat
import Testing

/// Nobody starves, and nobody holds the others up.
@Suite("Fairness") struct FairnessTests {
    /// A small model with room for long texts.
    static let recipe: ModelRecipe = {
        var recipe = ModelRecipe.tandemNear
        recipe.primary.positions = 4000
        return recipe
    }()

    /// Counts the tokens of generations.
    private final class Counts: Sendable {
        private let values: Guarded<[Int]>
        init(_ count: Int) { values = Guarded([Int](repeating: 0, count: count)) }
        func add(_ count: Int, to index: Int) { values.withLock { $0[index] += count } }
        var all: [Int] { values.withLock { $0 } }
    }

    /// Long generations that all end when `isDone` says so of the counts of their tokens; returns the counts then.
    private func race(
        _ model: TandemModel, _ jobs: [Job], until isDone: @escaping @Sendable ([Int]) -> Bool
    ) -> [Int] {
        let counts = Counts(jobs.count)
        let token = CancellationToken()
        let atEnd = Guarded<[Int]?>(nil)
        let watched = jobs.enumerated().map { index, job in
            var job = job
            job.cancellation = token
            job.onDelta = { delta in
                counts.add(delta.tokens.count, to: index)
                let now = counts.all
                guard isDone(now) else { return }
                atEnd.withLock { if $0 == nil { $0 = now } }
                token.cancel()
            }
            return job
        }
        for result in model.run(watched) {
            #expect(throws: Never.self) { try result.get() }
        }
        return atEnd.withLock { $0 } ?? counts.all
    }

    @Test("equal generations advance alike")
    func equals() throws {
        let fixture = try EngineFixture(Self.recipe)
        let model = try fixture.load(threads: 2)
        let jobs = try (0..<6).map { index in
            Job(
                fixture.tokens(5, seed: UInt64(index)),
                try GenerateParameters(maxTokens: 3000, mode: .primary, logprobs: 0))
        }
        // Once all have begun, what each gains until one is far.
        let start = Guarded<[Int]?>(nil)
        let end = race(model, jobs) { counts in
            guard counts.allSatisfy({ $0 > 20 }) else { return counts.contains { $0 > 2900 } }
            let before = start.withLock { start in
                if start == nil { start = counts }
                return start ?? counts
            }
            return zip(counts, before).contains { $0 - $1 >= 400 }
        }
        let gains = zip(end, start.withLock { $0 } ?? []).map { $0 - $1 }
        #expect(gains.count == 6)
        #expect((gains.min() ?? 0) > 130, "\(gains)")
    }

    @Test("modes that need one model only do not starve those that need both")
    func modes() throws {
        let fixture = try EngineFixture(Self.recipe)
        let model = try fixture.load(threads: 2)
        let modes: [DecodingMode] = [.secondary, .speed, .primary, .tandem, .secondary, .secondary]
        let jobs = try modes.enumerated().map { index, mode in
            Job(
                fixture.tokens(5, seed: UInt64(index)),
                try GenerateParameters(maxTokens: 3000, mode: mode, logprobs: 0))
        }
        let counts = race(model, jobs) { counts in
            counts.allSatisfy { $0 > 60 } || counts.contains { $0 > 2900 }
        }
        #expect(counts.allSatisfy { $0 > 60 }, "\(counts)")
    }

    @Test("background generations are slower, and do not starve")
    func background() throws {
        let fixture = try EngineFixture(Self.recipe)
        let model = try fixture.load(threads: 2)
        let priorities: [GenerationPriority] = [.interactive, .interactive, .background, .background]
        let jobs = try priorities.enumerated().map { index, priority in
            Job(
                fixture.tokens(5, seed: UInt64(index)),
                try GenerateParameters(maxTokens: 3900, mode: .primary, logprobs: 0, priority: priority))
        }
        let start = Guarded<[Int]?>(nil)
        let end = race(model, jobs) { counts in
            guard counts.allSatisfy({ $0 > 5 }) else { return counts.contains { $0 > 3800 } }
            let before = start.withLock { start in
                if start == nil { start = counts }
                return start ?? counts
            }
            return counts[0] - before[0] >= 800
        }
        let gains = zip(end, start.withLock { $0 } ?? []).map { $0 - $1 }
        #expect(gains.count == 4)
        // Every eighth pass has a place for them: 100 of 800.
        for gain in gains.dropFirst(2) { #expect((30...400).contains(gain), "\(gains)") }
    }

    @Test("a long prompt does not stop those that generate")
    func longPrompt() throws {
        let fixture = try EngineFixture(Self.recipe)
        let model = try fixture.load(threads: 2)
        let counts = Counts(1)
        let token = CancellationToken()
        let writer = TestThread {
            let result = try? model.makeSession().generate(
                tokens: fixture.tokens(4),
                parameters: GenerateParameters(maxTokens: 3900, mode: .primary, logprobs: 0),
                cancellation: token
            ) { counts.add($0.tokens.count, to: 0) }
            #expect(result?.finishReason == .cancelled)
        }
        #expect(eventually { counts.all[0] > 20 })
        let before = counts.all[0]
        let session = try model.makeSession(options: SessionOptions(batchSize: 1024))
        let prompt = fixture.tokens(1500, seed: 9)
        let result = try session.generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 1, mode: .primary))
        let gained = counts.all[0] - before
        token.cancel()
        writer.join()
        #expect(result.tokens.count == 1)
        // Blocks of 1024 rows would leave room for two or three tokens.
        #expect(gained > 6, "\(gained) tokens while a prompt of 1500 was read")
        let alone = try model.makeSession().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 1, mode: .primary))
        #expect(result.tokens == alone.tokens)
    }
}
