// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Tandem
import TandemTokenizer

/// What an answer is made of, in the order it happens.
enum AnswerEvent: Sendable {
    case delta(choice: Int, GenerationDelta)
    case completed(choice: Int, GenerationResult)
    /// The whole answer fails; nothing follows.
    case failed(APIError)
}

/// One of the generations of a request.
struct ChoiceRequest: Sendable {
    let prompt: [TokenID]
    let parameters: GenerateParameters
}

/// The generations of one request: queued, run on engine threads, cancelled together.
///
/// Thread safety: any thread.
final class GenerationJob: Sendable {
    let choices: [ChoiceRequest]
    private let lease: ModelHost.Lease
    private let threads: WorkerThreads
    private let metrics: Metrics
    private let mailbox = Mailbox<AnswerEvent>()
    private let cancellation = CancellationToken()
    private let state = Mutex(State())
    private let begun = monotonicSeconds()

    private struct State {
        var tickets: [Gate.Ticket] = []
        var failure: APIError?
    }

    /// Takes the places for all generations and begins.
    /// - Throws: 429 when the queue is full.
    init(
        _ choices: [ChoiceRequest], host: ModelHost, lease: ModelHost.Lease, isBackground: Bool,
        threads: WorkerThreads, metrics: Metrics
    ) throws(APIError) {
        self.choices = choices
        self.lease = lease
        self.threads = threads
        self.metrics = metrics
        let tickets = try host.gate.tickets(choices.count, isBackground: isBackground, metrics: metrics)
        state.withLock { $0.tickets = tickets }
        for (index, ticket) in tickets.enumerated() {
            Task { await self.run(index, ticket) }
        }
    }

    /// The events since the last call; waits for one.
    func next() async -> [AnswerEvent] { await mailbox.next() }

    /// Ends the job early; its last event is `failure`. Without effect when it has ended.
    func cancel(_ failure: APIError) {
        let tickets = state.withLock { state -> [Gate.Ticket] in
            guard state.failure == nil else { return [] }
            state.failure = failure
            return state.tickets
        }
        guard !tickets.isEmpty else { return }
        cancellation.cancel()
        // Those that wait in the queue leave it; running ones end within one layer of the model.
        for ticket in tickets { ticket.withdraw() }
        mailbox.post(.failed(failure))
    }

    private func run(_ index: Int, _ ticket: Gate.Ticket) async {
        guard await ticket.enter() else { return }
        metrics.queueSeconds.observe(monotonicSeconds() - begun)
        do {
            let result = try await threads.generate { try self.generate(index) }
            ticket.leave()
            note(result)
            if result.finishReason != .cancelled { mailbox.post(.completed(choice: index, result)) }
        } catch {
            ticket.leave()
            metrics.generations("error").add(1)
            cancel(APIError(any: error))
        }
    }

    /// Generates on this thread.
    private func generate(_ index: Int) throws(TandemError) -> GenerationResult {
        let choice = choices[index]
        let session = try lease.loaded.pool.lease(for: choice.prompt)
        defer { session.end() }
        var clock = TokenClock(metrics: metrics, begun: begun)
        return try session.session.generate(
            tokens: choice.prompt, parameters: choice.parameters, cancellation: cancellation
        ) { delta in
            clock.note(tokens: delta.tokens.count)
            mailbox.post(.delta(choice: index, delta))
        }
    }

    private func note(_ result: GenerationResult) {
        metrics.generations(result.finishReason.rawValue).add(1)
        metrics.note(result)
    }
}

/// Times between tokens, as a client sees them.
private struct TokenClock {
    let metrics: Metrics
    let begun: Double
    var last: Double?

    init(metrics: Metrics, begun: Double) {
        self.metrics = metrics
        self.begun = begun
    }

    mutating func note(tokens: Int) {
        let now = monotonicSeconds()
        metrics.tokenRate.add(tokens, at: now)
        if let last {
            // Tokens that come together share the time since those before.
            let count = max(1, tokens)
            metrics.tokenSeconds.observe((now - last) / Double(count), count: count)
        } else {
            metrics.firstTokenSeconds.observe(now - begun)
        }
        last = now
    }
}
