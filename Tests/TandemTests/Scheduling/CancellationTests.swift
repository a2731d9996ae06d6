// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem
import TandemFormat
import Testing

/// Ends of single generations while others go on.
@Suite("Cancellation among sessions") struct CancellationAmongSessionsTests {
    @Test("generations cancelled at any moment leave the others as they are")
    func anyMoment() throws {
        let fixture = try EngineFixture(.wide)
        let model = try fixture.load(threads: 2)
        for round in 0..<6 {
            let tokens = (0..<4).map { _ in CancellationToken() }
            var jobs: [Job] = []
            for index in 0..<8 {
                // Every other one is cancelled; a long prompt means: while it is read.
                var job = Job(
                    fixture.tokens([60, 100][round % 2] - index, seed: UInt64(8 * round + index)),
                    try GenerateParameters(
                        maxTokens: 40, mode: [.speed, .primary, .secondary][index % 3], logprobs: 0),
                    cancellation: index % 2 == 1 ? tokens[index / 2] : nil)
                let limit = 3 * round
                let count = Guarded(0)
                if index % 2 == 1 {
                    if round == 0 { tokens[index / 2].cancel() }
                    job.onDelta = { [tokens] delta in
                        let seen = count.withLock {
                            $0 += delta.tokens.count
                            return $0
                        }
                        if seen >= limit { tokens[index / 2].cancel() }
                    }
                }
                jobs.append(job)
            }
            let alone = try model.runAlone(jobs)
            for (index, result) in model.run(jobs).enumerated() {
                let result = try result.get()
                if index % 2 == 0 {
                    #expect(result.tokens == alone[index], "round \(round), job \(index)")
                } else {
                    #expect(result.finishReason == .cancelled, "round \(round), job \(index)")
                    #expect(result.tokens.count < 40)
                    #expect(result.tokens[...] == alone[index].prefix(result.tokens.count))
                }
            }
            #expect(model.statistics.running == 0)
        }
    }

    /// Cancelled from outside at random moments, over and over; the session then goes on where it is.
    @Test("a session whose pass was given up serves again")
    func servesAgain() throws {
        let fixture = try EngineFixture(.tandemNear)
        let model = try fixture.load(threads: 2)
        let prompts = (0..<4).map { fixture.tokens(30, seed: UInt64($0)) }
        let parameters = try GenerateParameters(maxTokens: 100, mode: .speed)
        let alone = try model.runAlone(prompts.map { Job($0, parameters) })
        let results = concurrently(4) { index in
            let session = try model.makeSession()
            var random = TestRandom(seed: UInt64(index))
            for _ in 0..<30 {
                let token = CancellationToken()
                let delay = UInt32(random.index(below: 3000))
                let canceller = TestThread {
                    usleep(delay)
                    token.cancel()
                }
                let result = try session.generate(
                    tokens: prompts[index], parameters: parameters, cancellation: token)
                canceller.join()
                guard alone[index].starts(with: result.tokens) else { return false }
            }
            return try session.generate(tokens: prompts[index], parameters: parameters).tokens
                == alone[index]
        }
        #expect(try results.allSatisfy { try $0.get() })
    }

    @Test("a session in its host's code stops nobody")
    func slowHost() throws {
        let fixture = try EngineFixture(.tandemNear)
        let model = try fixture.load(threads: 2)
        let prompt = fixture.tokens(5)
        let expected = try model.makeSession().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 100)
        ).tokens
        let holder = try Holder(model, fixture.tokens(7), maxTokens: 20)
        // Both run to their end while the holder does not move.
        let jobs = try (0..<2).map { _ in Job(prompt, try GenerateParameters(maxTokens: 100)) }
        for result in model.run(jobs) { #expect(try result.get().tokens == expected) }
        #expect(model.statistics.running == 1)
        #expect(holder.letGo()?.tokens.count == 20)
    }

    @Test("streams that are left early end their generations, and the others go on")
    func leftStreams() async throws {
        var recipe = ModelRecipe.tandemNear
        recipe.hasTokenizer = true
        recipe.primary.vocabulary = 260
        recipe.primary.positions = 400
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load(threads: 2)
        let parameters = try GenerateParameters(maxTokens: 300)
        let expected = try model.makeSession().generate("abc", parameters: parameters).text
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<6 {
                group.addTask {
                    var text = ""
                    for try await part in try model.makeSession().stream("abc", parameters: parameters) {
                        if case .delta(let delta) = part { text += delta.text }
                        if index % 2 == 1, text.count > 5 { break }
                    }
                    return expected.hasPrefix(text) && (index % 2 == 1 || text == expected)
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        #expect(eventually { model.statistics.running == 0 })
    }
}
