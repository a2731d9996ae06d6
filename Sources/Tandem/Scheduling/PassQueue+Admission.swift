// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import Synchronization

extension PassQueue {
    /// How often a generation that waits to be admitted looks at its cancellation token, in seconds.
    private static let pollInterval = 0.005

    /// Waits until `member` may run.
    /// - Parameter isBrief: whether it needs no place of its own among those that run.
    /// - Throws: ``TandemError/queueFull(waiting:limit:)``, ``TandemError/cancelled``, ``TandemError/forkedProcess``.
    func admit(_ member: PassMember, isBrief: Bool = false) throws(TandemError) {
        try enterProcess()
        lock.lock()
        defer { lock.unlock() }
        if isBrief || (running.count < options.maxRunning && queued.isEmpty) {
            start(member)
            return
        }
        guard queued.count < options.maxQueued else {
            throw .queueFull(waiting: queued.count, limit: options.maxQueued)
        }
        let place =
            member.priority == .interactive
            ? queued.firstIndex { $0.priority == .background } ?? queued.endIndex : queued.endIndex
        queued.insert(member, at: place)
        while member.state == .queued {
            guard let cancellation = member.cancellation else {
                member.wake.wait(lock)
                continue
            }
            if cancellation.isCancelled {
                queued.removeAll { $0 === member }
                throw .cancelled
            }
            // A token may be cancelled in a signal handler, which cannot wake anybody.
            member.wake.wait(lock, until: monotonicSeconds() + Self.pollInterval)
        }
    }

    /// With the lock held.
    private func start(_ member: PassMember) {
        member.state = .thinking
        member.since = monotonicSeconds()
        running.append(member)
        lastActivity = .infinity
    }

    /// Lets a generation go and admits the next one.
    func dismiss(_ member: PassMember) {
        lock.lock()
        running.removeAll { $0 === member }
        while running.count < options.maxRunning, !queued.isEmpty {
            let next = queued.removeFirst()
            start(next)
            next.wake.signal()
        }
        if running.isEmpty { lastActivity = monotonicSeconds() }
        // Nobody waits for this one any more.
        let isWanted = !pending.isEmpty
        lock.unlock()
        if isWanted { work.signal() }
    }

    /// Makes the queue this process's own after a fork, if nothing was going on in it.
    /// - Throws: ``TandemError/forkedProcess`` when something was: its threads do not exist here.
    func enterProcess() throws(TandemError) {
        let own = getpid()
        guard process.load(ordering: .acquiring) != own else { return }
        // A thread of the parent may have held the lock just then, and never gives it back here.
        var tries = 0
        while !lock.tryLock() {
            tries += 1
            guard tries < 1000 else { throw .forkedProcess }
            sched_yield()
        }
        defer { lock.unlock() }
        guard running.isEmpty, queued.isEmpty, !isTurnTaken else { throw .forkedProcess }
        process.store(own, ordering: .releasing)
        thread = nil
        isAsleep = false
    }
}
