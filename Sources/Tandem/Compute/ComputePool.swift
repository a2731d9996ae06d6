// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Glibc
import Synchronization
internal import TandemFormat

/// A fork-join pool: the calling thread and `threadCount - 1` workers share the items of one job at a time.
///
/// Items are claimed one by one as threads become free, so a thread that loses its core to a neighbour delays only
/// the item in its hands. Idle threads spin for some microseconds (``SpinPatience``), because the next job of a forward
/// pass usually follows at once, and then sleep in the kernel. A caller that waits for a worker's last item sleeps soon
/// too: where a busy neighbour holds the worker's core, the kernel can then move the worker to the caller's.
///
/// ## Thread Safety
/// Any number of threads may call ``run(_:_:)``; their jobs take turns. A body must not call `run` of the same pool.
///
/// ## Performance
/// A fork and join costs well below a microsecond while the workers are awake.
package final class ComputePool: Sendable {
    /// Threads that work on a job, the caller included; at least 1.
    package let threadCount: Int
    private let shared: SharedState

    /// Starts `threadCount - 1` workers. Fewer may run when the system refuses threads; the pool works with any number.
    package init(threadCount: Int) {
        let shared = SharedState(patience: SpinPatience(isAdaptive: threadCount <= availableProcessorCount()))
        var started = 0
        for _ in 1..<max(1, threadCount) {
            guard shared.startWorker() else { break }
            started += 1
        }
        self.shared = shared
        self.threadCount = started + 1
    }

    deinit {
        shared.stop()
    }

    /// Calls `body(item, thread)` once for every item of `0 ..< count`, in parallel, and returns when all are done.
    ///
    /// `thread` is in `0 ..< threadCount`, and no two bodies of one call run with the same one at a time: it selects the
    /// caller's scratch memory.
    /// Everything the caller wrote before is visible to the body; everything the bodies wrote is visible after.
    package func run(_ count: Int, _ body: (_ item: Int, _ thread: Int) -> Void) {
        if count <= 0 { return }
        if threadCount == 1 || count == 1 || count > Int(UInt32.max) || shared.backoff.callerWorksAlone() {
            for item in 0..<count { body(item, 0) }
            return
        }
        withoutActuallyEscaping(body) { escapable in
            var job = Job(count: count, body: escapable)
            unsafe withUnsafeMutablePointer(to: &job) { pointer in
                unsafe shared.execute(pointer)
            }
        }
    }
}

/// One job, on the stack of the thread that called `run`.
private struct Job {
    let count: Int
    let body: (Int, Int) -> Void
}

/// What the workers and the callers share.
///
/// `ticket` holds the job's number in its upper half and the items not yet claimed in its lower half. A claim is a
/// compare-and-swap of the whole word, so a worker that still thinks of an older job can never take an item of a newer
/// one, and a successful claim proves that the job it read is still waiting for that item.
@safe
private final class SharedState: @unchecked Sendable {
    private let ticket = Atomic<UInt64>(0)
    private let currentJob = Atomic<UInt>(0)
    private let completed = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    let backoff = StallBackoff()
    private let isCallerAsleep = Atomic<Bool>(false)
    private let callers = ThreadLock()
    private let lock = ThreadLock()
    private let wake = ThreadCondition()
    private let done = ThreadCondition()
    /// What every worker begins with.
    private let patience: SpinPatience
    /// Workers started; changed only before the pool is shared.
    private var threads: [pthread_t] = []

    init(patience: SpinPatience) {
        self.patience = patience
    }

    func startWorker() -> Bool {
        let number = threads.count + 1
        guard let thread = startThread({ self.workerLoop(thread: number) }).thread else { return false }
        threads.append(thread)
        return true
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        lock.withLock { wake.broadcast() }
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    func execute(_ job: UnsafeMutablePointer<Job>) {
        callers.lock()
        defer { callers.unlock() }

        let count = unsafe job.pointee.count
        completed.store(0, ordering: .relaxed)
        currentJob.store(UInt(bitPattern: job), ordering: .releasing)
        let epoch = (ticket.load(ordering: .relaxed) >> 32) &+ 1
        ticket.store((epoch << 32) | UInt64(count), ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
            lock.withLock { wake.broadcast() }
        }

        let start = monotonicSeconds()
        while claimAndRun(thread: 0) {}
        let ownEnd = monotonicSeconds()

        var spins = 0
        while completed.load(ordering: .acquiring) < count {
            spins += 1
            if spins < SpinPatience.least {
                tk_relax()
            } else {
                sleep(untilCompleted: count)
            }
        }
        backoff.record(ownSeconds: ownEnd - start, waitedSeconds: monotonicSeconds() - ownEnd)
    }

    /// Another thread holds an unfinished item and may have lost its core: the caller's becomes free for it.
    private func sleep(untilCompleted count: Int) {
        lock.lock()
        isCallerAsleep.store(true, ordering: .sequentiallyConsistent)
        while completed.load(ordering: .sequentiallyConsistent) < count { done.wait(lock) }
        isCallerAsleep.store(false, ordering: .relaxed)
        lock.unlock()
    }

    /// Takes one item of the current job, if there is one, and runs it.
    private func claimAndRun(thread: Int) -> Bool {
        var seen = ticket.load(ordering: .acquiring)
        while true {
            let remaining = seen & 0xFFFF_FFFF
            if remaining == 0 { return false }
            let address = currentJob.load(ordering: .acquiring)
            let (exchanged, original) = ticket.weakCompareExchange(
                expected: seen, desired: seen &- 1, ordering: .acquiringAndReleasing)
            guard exchanged else {
                seen = original
                continue
            }
            runItem(remaining: Int(remaining), ofJobAt: address, thread: thread)
            completed.wrappingAdd(1, ordering: .sequentiallyConsistent)
            if isCallerAsleep.load(ordering: .sequentiallyConsistent) { lock.withLock { done.signal() } }
            return true
        }
    }

    /// A function of its own, so that nothing of the caller's closure is held any more when the item is counted as done.
    @inline(never)
    private func runItem(remaining: Int, ofJobAt address: UInt, thread: Int) {
        guard let job = unsafe UnsafeMutablePointer<Job>(bitPattern: address) else { return }
        unsafe job.pointee.body(job.pointee.count &- remaining, thread)
    }

    fileprivate func workerLoop(thread: Int) {
        var patience = patience
        var spins = 0
        while !stopping.load(ordering: .relaxed) {
            if claimAndRun(thread: thread) {
                spins = 0
                continue
            }
            spins += 1
            if spins < patience.spins {
                tk_relax()
                continue
            }
            let sleepStart = monotonicSeconds()
            lock.lock()
            sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
            while ticket.load(ordering: .sequentiallyConsistent) & 0xFFFF_FFFF == 0
                && !stopping.load(ordering: .sequentiallyConsistent)
            {
                wake.wait(lock)
            }
            sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
            lock.unlock()
            patience.record(sleptSeconds: monotonicSeconds() - sleepStart)
            spins = 0
        }
    }
}
