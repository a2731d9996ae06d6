// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Tandem
import TandemFormat

/// One generation that a test runs beside others.
struct Job: Sendable {
    var prompt: [Int32]
    var parameters: GenerateParameters
    var cancellation: CancellationToken?
    /// Called with each delta, on the generation's thread.
    var onDelta: @Sendable (GenerationDelta) -> Void = { _ in }

    init(_ prompt: [Int32], _ parameters: GenerateParameters, cancellation: CancellationToken? = nil) {
        self.prompt = prompt
        self.parameters = parameters
        self.cancellation = cancellation
    }
}

/// Runs `body(0)` to `body(count - 1)` at the same time, each on a thread of its own; returns what they returned.
func concurrently<R: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> R) -> [Result<
    R, any Error
>] {
    let results = Guarded([Result<R, any Error>?](repeating: nil, count: count))
    let threads = (0..<count).map { index in
        TestThread {
            let result = Result { try body(index) }
            results.withLock { $0[index] = result }
        }
    }
    for thread in threads { thread.join() }
    return results.withLock { $0.compactMap { $0 } }
}

/// A thread of a test.
final class TestThread: Sendable {
    private let number: pthread_t

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(_ body: @escaping @Sendable () -> Void) {
        let context = unsafe Unmanaged.passRetained(Body(body))
        var number = pthread_t()
        let status = unsafe pthread_create(
            &number, nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            }, context.toOpaque())
        precondition(status == 0, "the system refuses a thread")
        self.number = number
    }

    func join() { pthread_join(number, nil) }
}

/// Waits until `condition` holds; returns whether it does within `seconds`.
func eventually(within seconds: Double = 20, _ condition: () -> Bool) -> Bool {
    for _ in 0..<Int(seconds * 1000) {
        if condition() { return true }
        usleep(1000)
    }
    return condition()
}

extension TandemModel {
    /// Runs each job in a session of its own, all at the same time.
    func run(_ jobs: [Job], options: SessionOptions = .default) -> [Result<GenerationResult, any Error>] {
        concurrently(jobs.count) { index in
            let job = jobs[index]
            return try self.makeSession(options: options).generate(
                tokens: job.prompt, parameters: job.parameters, cancellation: job.cancellation,
                onDelta: job.onDelta)
        }
    }

    /// What each job gives when it runs alone.
    func runAlone(_ jobs: [Job], options: SessionOptions = .default) throws -> [[Int32]] {
        try jobs.map { job in
            try makeSession(options: options).generate(tokens: job.prompt, parameters: job.parameters).tokens
        }
    }
}

/// A generation that stays in its host's code, after its first token, until it is let go.
final class Holder: Sendable {
    private let isHeld = Atomic<Bool>(true)
    private let hasEntered = Atomic<Bool>(false)
    private let thread = Guarded<TestThread?>(nil)
    private let result = Guarded<GenerationResult?>(nil)

    init(
        _ model: TandemModel, _ prompt: [Int32], maxTokens: Int = 3,
        priority: GenerationPriority = .interactive
    ) throws {
        let session = try model.makeSession()
        // With log-probabilities every token is told of.
        let parameters = try GenerateParameters(maxTokens: maxTokens, logprobs: 0, priority: priority)
        thread.withLock {
            $0 = TestThread { [self] in
                let outcome = try? session.generate(tokens: prompt, parameters: parameters) { _ in
                    hasEntered.store(true, ordering: .releasing)
                    while isHeld.load(ordering: .acquiring) { usleep(500) }
                }
                result.withLock { $0 = outcome }
            }
        }
        while !hasEntered.load(ordering: .acquiring) { usleep(500) }
    }

    /// Lets the generation go on and waits for its end.
    @discardableResult
    func letGo() -> GenerationResult? {
        isHeld.store(false, ordering: .releasing)
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
        return result.withLock { $0 }
    }
}
