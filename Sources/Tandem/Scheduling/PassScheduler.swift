// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemFormat

/// Combines the passes of a model's generations.
///
/// A generation that runs alone makes its passes on its own thread, without any hand-over. Where several run, their
/// requests go to one pass thread, which waits for a moment until all that are about to ask have asked and then runs
/// what there is as one pass: the weights are read once for all. No generation's thread works for another, so each is
/// free again within one layer of the model after it was cancelled.
///
/// Results do not depend on what was combined: the logits of a position are the same bits (determinism contract).
///
/// ## Thread Safety
/// Any thread. After a fork, a child may go on with a model that was idle when the process was forked.
final class PassScheduler: Sendable {
    private let queue: PassQueue

    init(engine: PassEngine, options: SchedulingOptions) {
        queue = PassQueue(engine: engine, options: options)
    }

    deinit {
        queue.stop()
    }

    // MARK: - Sessions and generations

    /// Counts a session in.
    func openSession(rows: Int, contextSize: Int) { queue.openSession(rows: rows, contextSize: contextSize) }

    func closeSession() { queue.closeSession() }

    /// Waits until a generation may run.
    /// - Throws: ``TandemError/queueFull(waiting:limit:)``, ``TandemError/cancelled``, ``TandemError/forkedProcess``.
    func begin(_ priority: GenerationPriority, cancellation: CancellationToken?) throws(TandemError)
        -> PassMember
    {
        let member = PassMember(priority: priority, cancellation: cancellation)
        try queue.admit(member)
        return member
    }

    /// Runs a single request that belongs to no generation; it does not wait to be admitted.
    func runAlone(_ request: PassRequest) throws(TandemError) -> PassCost {
        let member = PassMember(priority: .interactive, cancellation: request.cancellation)
        try queue.admit(member, isBrief: true)
        defer { end(member) }
        return try queue.run(request, for: member)
    }

    /// Lets a generation go; whoever waits longest takes its place.
    func end(_ member: PassMember) { queue.dismiss(member) }

    /// Says that a generation's thread enters or leaves the host's code, so that nobody waits for it.
    func setAway(_ isAway: Bool, _ member: PassMember) { member.isAway.store(isAway, ordering: .relaxed) }

    // MARK: - Passes

    /// Runs a request, alone or with others' requests, and returns when it is done.
    /// - Throws: ``TandemError/cancelled`` within one layer, what stopped the pass otherwise.
    func run(_ request: PassRequest, for member: PassMember) throws(TandemError) -> PassCost {
        try queue.run(request, for: member)
    }

    /// Rows of a prompt that the generation's next request should have, at most `limit`.
    func promptRows(_ role: ModelRole, limit: Int, _ member: PassMember) -> Int {
        queue.promptRows(role, limit: limit, member)
    }

    /// Runs `body` while no pass is under way.
    /// - Throws: ``TandemError/forkedProcess``, and what `body` throws.
    func betweenPasses(_ body: () throws(TandemError) -> Void) throws(TandemError) {
        try queue.betweenPasses(body)
    }

    // MARK: - Statistics

    /// Everything but the bytes streamed.
    var statistics: ModelStatistics { queue.statistics }

    /// Adds tokens to the totals.
    func count(prompt: Int = 0, generated: Int = 0, drafted: Int = 0, accepted: Int = 0) {
        queue.count(prompt: prompt, generated: generated, drafted: drafted, accepted: accepted)
    }

    /// When a generation ended last, or began, by ``monotonicSeconds()``; the infinite future while one runs.
    var lastActivity: Double { queue.lock.withLock { queue.lastActivity } }
}
