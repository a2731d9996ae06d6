// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Tandem
import TandemFormat
import Testing

/// Who may run, who waits, who is refused.
@Suite("Admission") struct AdmissionTests {
    private static func model(_ running: Int, _ queued: Int) throws -> (EngineFixture, TandemModel) {
        let fixture = try EngineFixture(.tandemNear)
        let model = try TandemModel.load(
            from: fixture.path,
            options: LoadOptions(
                threadCount: 1,
                scheduling: SchedulingOptions(maxRunning: running, maxQueued: queued)))
        return (fixture, model)
    }

    @Test("the queue refuses what is beyond its limit, and serves the rest")
    func limits() throws {
        let (fixture, model) = try Self.model(1, 2)
        let prompt = fixture.tokens(4)
        let holder = try Holder(model, prompt)
        #expect(model.statistics.running == 1)
        let waiting = (0..<2).map { _ in
            TestThread {
                let result = try? model.makeSession().generate(
                    tokens: prompt, parameters: GenerateParameters(maxTokens: 5))
                #expect(result?.tokens.count == 5)
            }
        }
        #expect(eventually { model.statistics.queued == 2 })
        #expect(throws: TandemError.queueFull(waiting: 2, limit: 2)) {
            try model.makeSession().generate(tokens: prompt, parameters: GenerateParameters(maxTokens: 5))
        }
        #expect(model.statistics.running == 1)
        holder.letGo()
        for thread in waiting { thread.join() }
        #expect(model.statistics.running == 0 && model.statistics.queued == 0)
        let result = try model.makeSession().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 5))
        #expect(result.tokens.count == 5)
    }

    @Test("without a queue a second generation is refused at once")
    func noQueue() throws {
        let (fixture, model) = try Self.model(1, 0)
        let holder = try Holder(model, fixture.tokens(4))
        #expect(throws: TandemError.queueFull(waiting: 0, limit: 0)) {
            try model.makeSession().generate(
                tokens: fixture.tokens(4), parameters: GenerateParameters(maxTokens: 5))
        }
        holder.letGo()
    }

    @Test("interactive generations go before background ones, each in order of arrival")
    func order() throws {
        let (fixture, model) = try Self.model(1, 8)
        let prompt = fixture.tokens(4)
        let holder = try Holder(model, prompt)
        let order = Guarded<[Int]>([])
        let priorities: [GenerationPriority] = [
            .background, .interactive, .background, .interactive, .interactive,
        ]
        var threads: [TestThread] = []
        for (index, priority) in priorities.enumerated() {
            threads.append(
                TestThread {
                    let seen = Atomic<Bool>(false)
                    _ = try? model.makeSession().generate(
                        tokens: prompt,
                        parameters: GenerateParameters(
                            maxTokens: 4, logprobs: 0, priority: priority)
                    ) { _ in
                        if !seen.exchange(true, ordering: .relaxed) { order.withLock { $0.append(index) } }
                    }
                })
            #expect(eventually { model.statistics.queued == index + 1 })
        }
        holder.letGo()
        for thread in threads { thread.join() }
        #expect(order.withLock { $0 } == [1, 3, 4, 0, 2])
    }

    @Test("a generation that waits can be cancelled")
    func cancelled() throws {
        let (fixture, model) = try Self.model(1, 8)
        let prompt = fixture.tokens(4)
        let holder = try Holder(model, prompt)
        let token = CancellationToken()
        let result = Guarded<GenerationResult?>(nil)
        let thread = TestThread {
            let outcome = try? model.makeSession().generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 4), cancellation: token)
            result.withLock { $0 = outcome }
        }
        #expect(eventually { model.statistics.queued == 1 })
        token.cancel()
        thread.join()
        #expect(result.withLock { $0?.finishReason } == .cancelled)
        #expect(result.withLock { $0?.tokens } == [])
        #expect(model.statistics.queued == 0 && model.statistics.running == 1)
        holder.letGo()
    }

    @Test("limits are checked")
    func options() throws {
        for value in [0, -1, 1025] {
            #expect(
                throws: TandemError.invalidParameter(
                    name: "max-running", value: "\(value)", allowed: "in 1 ... 1024")
            ) { try SchedulingOptions(maxRunning: value) }
        }
        for value in [-1, 1_000_001] {
            #expect(
                throws: TandemError.invalidParameter(
                    name: "max-queued", value: "\(value)", allowed: "in 0 ... 1000000")
            ) { try SchedulingOptions(maxQueued: value) }
        }
        #expect(try SchedulingOptions() == .default)
        let message = TandemError.queueFull(waiting: 7, limit: 7).description
        #expect(message.contains("7 wait"))
    }
}
