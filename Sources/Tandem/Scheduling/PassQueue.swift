// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import Synchronization
internal import TandemFormat

/// The state of a ``PassScheduler`` that its pass thread shares.
///
/// Thread safety: any thread; `lock` guards everything that changes. A pass itself runs without the lock, by whoever has
/// set `isTurnTaken`.
@safe
final class PassQueue: @unchecked Sendable {
    let engine: PassEngine
    let options: SchedulingOptions
    let lock = ThreadLock()
    /// Signalled when the pass thread should look again.
    let work = ThreadCondition()

    /// Generations that were admitted, and those that wait to be, in the order in which they will be.
    var running: [PassMember] = []
    var queued: [PassMember] = []
    /// Generations that wait for a pass, in the order in which they asked.
    var pending: [PassMember] = [] {
        didSet { pendingCount.store(pending.count, ordering: .relaxed) }
    }
    /// Number of `pending`, for a look without the lock.
    let pendingCount = Atomic<Int>(0)
    /// Generations in the combined pass under way, by the index of their request; `nil` = dropped.
    var current: [PassMember?] = []
    /// Whether a pass is under way, or somebody keeps passes away.
    var isTurnTaken = false
    /// Those who want no pass under way, in the order in which they asked.
    var turnWaiters: [TurnWaiter] = []

    var thread: pthread_t?
    /// Whether the pass thread sleeps until it is signalled.
    var isAsleep = false
    var isStopping = false
    /// The process that the thread belongs to.
    let process = Atomic<pid_t>(getpid())

    /// Totals of passes; those of tokens are counted without the lock.
    var totals = ModelStatistics()
    private let promptTokens = Atomic<Int>(0)
    private let generatedTokens = Atomic<Int>(0)
    private let draftedTokens = Atomic<Int>(0)
    private let acceptedTokens = Atomic<Int>(0)
    var lastActivity = monotonicSeconds()
    /// Seconds of passes by their rows, as learnt from the passes.
    var primaryTimes: PassTimes
    var secondaryTimes: PassTimes
    /// When the last combined pass ended.
    var previousEnd = 0.0
    /// Passes since one had a place for background generations that asked for it.
    var passesWithoutBackground = 0

    init(engine: PassEngine, options: SchedulingOptions) {
        self.engine = engine
        self.options = options
        primaryTimes = PassTimes(engine.shapes(.primary))
        secondaryTimes = PassTimes(engine.shapes(.secondary))
    }

    // MARK: - Sessions

    func openSession(rows: Int, contextSize: Int) {
        lock.withLock { engine.retain(rows: rows, contextSize: contextSize) }
    }

    func closeSession() {
        lock.withLock { engine.release() }
    }

    // MARK: - Statistics

    /// Adds tokens to the totals.
    func count(prompt: Int, generated: Int, drafted: Int, accepted: Int) {
        if prompt > 0 { promptTokens.wrappingAdd(prompt, ordering: .relaxed) }
        if generated > 0 { generatedTokens.wrappingAdd(generated, ordering: .relaxed) }
        if drafted > 0 { draftedTokens.wrappingAdd(drafted, ordering: .relaxed) }
        if accepted > 0 { acceptedTokens.wrappingAdd(accepted, ordering: .relaxed) }
    }

    var statistics: ModelStatistics {
        lock.withLock {
            var statistics = totals
            statistics.running = running.count
            statistics.queued = queued.count
            statistics.promptTokens = promptTokens.load(ordering: .relaxed)
            statistics.generatedTokens = generatedTokens.load(ordering: .relaxed)
            statistics.drafted = draftedTokens.load(ordering: .relaxed)
            statistics.accepted = acceptedTokens.load(ordering: .relaxed)
            return statistics
        }
    }

    /// Adds a finished pass to the totals and to what is known of their times. With the lock held.
    func note(_ role: ModelRole, rows: Int, seconds: Double) {
        totals.passSeconds += seconds
        if role == .primary {
            totals.primaryPasses += 1
            totals.primaryRows += rows
            primaryTimes.record(rows: rows, seconds: seconds)
        } else {
            totals.secondaryPasses += 1
            if rows > 0 { secondaryTimes.record(rows: rows, seconds: seconds) }
        }
    }

    func times(_ role: ModelRole) -> PassTimes { role == .primary ? primaryTimes : secondaryTimes }
}
