// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// A job whose answer is being written: ends with the client's departure, or with the time limit.
final class AnswerRun: Sendable {
    private let job: GenerationJob
    private let daemon: Daemon
    private let presence: ClientPresence
    private let activity: Daemon.Activity
    private let deadline: Scheduled<Void>?
    private let state: Mutex<State>

    private struct State {
        var remaining: Int
        var hasFailed = false
        var hasEnded = false
    }

    init(
        _ job: GenerationJob, daemon: Daemon, channel: any Channel, presence: ClientPresence,
        activity: Daemon.Activity
    ) {
        self.job = job
        self.daemon = daemon
        self.presence = presence
        self.activity = activity
        state = Mutex(State(remaining: job.choices.count))
        let limit = daemon.settings.limits.seconds
        deadline =
            limit > 0
            ? channel.eventLoop.scheduleTask(in: .milliseconds(Int64(limit * 1000))) {
                job.cancel(.timeLimit(limit))
            } : nil
        daemon.add(job)
        presence.onDeparture { job.cancel(.clientClosed) }
    }

    /// Generations that have not ended; 0 after a failure.
    var remaining: Int { state.withLock { $0.remaining } }
    var hasFailed: Bool { state.withLock { $0.hasFailed } }

    func next() async -> [AnswerEvent] { await job.next() }

    /// Writes one event.
    /// - Throws: the failure that it tells.
    func take(_ event: AnswerEvent, _ writer: inout any AnswerWriter, into buffer: inout ByteBuffer)
        throws(APIError)
    {
        switch event {
        case .delta(let choice, let delta): writer.write(delta, choice: choice, into: &buffer)
        case .completed(let choice, let result):
            writer.complete(result, choice: choice, into: &buffer)
            state.withLock { $0.remaining -= 1 }
        case .failed(let error):
            // What comes after the end is too late.
            guard remaining > 0 else { return }
            finish()
            throw error
        }
    }

    /// Waits for nothing more.
    func finish() {
        state.withLock { state in
            state.remaining = 0
            state.hasFailed = true
        }
    }

    func cancel(_ error: APIError) { job.cancel(error) }

    /// Lets go of everything; what still runs is cancelled. Only the first call counts.
    func end() {
        let (isFirst, isCutOff) = state.withLock { state in
            defer { state.hasEnded = true }
            return (!state.hasEnded, state.remaining > 0 || state.hasFailed)
        }
        guard isFirst else { return }
        deadline?.cancel()
        presence.onDeparture(nil)
        daemon.remove(job)
        if isCutOff { job.cancel(.clientClosed) }
    }

    // A server that never wrote the answer lets go of it.
    deinit { end() }
}
