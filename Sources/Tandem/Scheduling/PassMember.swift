// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemFormat

/// A generation that takes part in a model's passes, from its admission to its end.
///
/// Thread safety: everything else that changes is guarded by the lock of its ``PassQueue``.
final class PassMember: @unchecked Sendable {
    /// What the generation's thread does.
    enum State {
        /// It waits for another generation to end.
        case queued
        /// It samples, and asks for a pass soon.
        case thinking
        /// It waits for a pass.
        case waiting
    }

    let priority: GenerationPriority
    let cancellation: CancellationToken?
    /// Signalled when the thread may go on.
    let wake = ThreadCondition()
    var state = State.queued
    /// Whether the thread is in the host's code; set by the thread itself, without the lock.
    let isAway = Atomic<Bool>(false)
    /// When the generation was admitted, or its last pass ended.
    var since = 0.0
    /// Whether it runs its prompt.
    var isPrompting = false

    /// What it waits for.
    var request: PassRequest?
    var requestedAt = 0.0
    /// How that went, once it is known.
    var outcome: Result<PassCost, TandemError>?

    init(priority: GenerationPriority, cancellation: CancellationToken?) {
        self.priority = priority
        self.cancellation = cancellation
    }
}

/// What a pass has cost one of its generations.
struct PassCost {
    /// Its share of the time, the gathering included; `nil` when it had the pass to itself.
    let share: Double?
    /// Seconds that one more row of such a pass takes; `nil` when that is not known, or it was the only generation's pass.
    let marginal: Double?

    /// Of no pass at all.
    static let nothing = PassCost(share: 0, marginal: nil)

    /// `share`, or for a pass of one's own the seconds since `start`.
    func seconds(since start: Double) -> Double { share ?? (monotonicSeconds() - start) }
}
