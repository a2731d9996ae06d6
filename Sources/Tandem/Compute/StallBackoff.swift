// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Decides when forking does not pay because a worker has lost its core to another process.
///
/// A worker without a core keeps the caller waiting for a whole time slice of the kernel, hundreds of times longer than a
/// small job takes. After two such stalls in close succession the caller works alone for a number of jobs that doubles from
/// stall to stall and is forgotten once jobs have joined promptly for a while; a single one, as any virtual machine has them
/// now and then, costs less than working alone. Results do not depend on it.
///
/// Thread safety: ``callerWorksAlone()`` from any thread; ``record(ownSeconds:waitedSeconds:)`` from one at a time.
package final class StallBackoff: @unchecked Sendable {
    /// Waits below this are scheduling noise.
    private static let stallSeconds = 100e-6
    private static let firstPenalty = 32
    private static let largestPenalty = 8192
    /// Prompt joins after which earlier stalls are forgotten.
    private static let promptJoins = 256

    private let jobsAlone = Atomic<Int>(0)
    private var penalty = 0
    private var joinsSinceStall = StallBackoff.promptJoins

    package init() {}

    /// Whether the next job stays with the caller; counts it.
    package func callerWorksAlone() -> Bool {
        let left = jobsAlone.load(ordering: .relaxed)
        guard left > 0 else { return false }
        // Concurrent callers may count one job twice, which shortens the penalty and harms nothing.
        jobsAlone.store(left - 1, ordering: .relaxed)
        return true
    }

    /// Learns how long the caller worked on a forked job, and how long it then waited for the others.
    package func record(ownSeconds: Double, waitedSeconds: Double) {
        guard waitedSeconds > max(Self.stallSeconds, ownSeconds) else {
            joinsSinceStall += 1
            if joinsSinceStall == Self.promptJoins { penalty = 0 }
            return
        }
        defer { joinsSinceStall = 0 }
        guard joinsSinceStall < Self.promptJoins else { return }
        penalty = min(max(Self.firstPenalty, penalty * 2), Self.largestPenalty)
        jobsAlone.store(penalty, ordering: .relaxed)
    }
}
