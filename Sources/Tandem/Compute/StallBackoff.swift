// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Decides when forking does not pay because a worker has lost its core to another process.
///
/// A worker without a core keeps the caller waiting for a whole time slice of the kernel, hundreds of times longer than a
/// small job takes. After such a stall the caller works alone for a number of jobs that doubles from stall to stall and
/// is forgotten once jobs have joined promptly for a while. Results do not depend on it.
///
/// Thread safety: ``callerWorksAlone()`` from any thread; ``record(ownSeconds:waitedSeconds:)`` from one at a time.
final class StallBackoff: @unchecked Sendable {
    /// Waits below this are scheduling noise.
    private static let stallSeconds = 100e-6
    private static let firstPenalty = 32
    private static let largestPenalty = 8192
    /// Prompt joins after which earlier stalls are forgotten.
    private static let promptJoins = 256

    private let jobsAlone = Atomic<Int>(0)
    private var penalty = 0
    private var joinsSinceStall = 0

    /// Whether the next job stays with the caller; counts it.
    func callerWorksAlone() -> Bool {
        let left = jobsAlone.load(ordering: .relaxed)
        guard left > 0 else { return false }
        // Concurrent callers may count one job twice, which shortens the penalty and harms nothing.
        jobsAlone.store(left - 1, ordering: .relaxed)
        return true
    }

    /// Learns how long the caller worked on a forked job, and how long it then waited for the others.
    func record(ownSeconds: Double, waitedSeconds: Double) {
        guard waitedSeconds > max(Self.stallSeconds, ownSeconds) else {
            joinsSinceStall += 1
            if joinsSinceStall == Self.promptJoins { penalty = 0 }
            return
        }
        joinsSinceStall = 0
        penalty = min(max(Self.firstPenalty, penalty * 2), Self.largestPenalty)
        jobsAlone.store(penalty, ordering: .relaxed)
    }
}
