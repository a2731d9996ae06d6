// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// What the generations of a model have learnt about drafting, for sessions that have learnt nothing yet.
///
/// Costs and chances are the model's and the machine's more than a text's: a new session that begins with what the others
/// know wastes no passes on finding out. Under load, where a draft's place in a pass is dear, that counts most.
///
/// Thread safety: any thread.
package final class DraftMemory: Sendable {
    private let newest = Guarded<DraftPolicy?>(nil)

    package init() {}

    /// Keeps what a generation that decides by the clock has learnt in place of what was kept before.
    package func keep(_ policy: DraftPolicy) {
        guard policy.costs.isClocked, policy.costs.isKnown, !policy.isFixed else { return }
        newest.withLock { $0 = policy }
    }

    /// What was learnt by policies like `policy`; `nil` where nothing was.
    package func recall(like policy: DraftPolicy) -> DraftPolicy? {
        newest.withLock { $0 }.flatMap { $0.isLike(policy) ? $0 : nil }
    }
}
