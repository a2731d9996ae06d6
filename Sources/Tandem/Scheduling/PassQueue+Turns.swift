// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// A thread that waits until no pass is under way.
final class TurnWaiter {
    /// Signalled when the turn is the thread's.
    let wake = ThreadCondition()
    var hasTurn = false
}

/// Work that no pass may be under way for.
extension PassQueue {
    /// Runs `body` between two passes; generations wait meanwhile.
    /// - Throws: ``TandemError/forkedProcess``, and what `body` throws.
    func betweenPasses(_ body: () throws(TandemError) -> Void) throws(TandemError) {
        try enterProcess()
        lock.lock()
        if isTurnTaken {
            let waiter = TurnWaiter()
            turnWaiters.append(waiter)
            while !waiter.hasTurn { waiter.wake.wait(lock) }
        } else {
            isTurnTaken = true
        }
        lock.unlock()
        defer {
            lock.lock()
            endTurn()
            let isWanted = !pending.isEmpty
            lock.unlock()
            if isWanted { work.signal() }
        }
        try body()
    }

    /// Lets others run passes, but first those who have waited for the turn. With the lock held.
    func endTurn() {
        isTurnTaken = !turnWaiters.isEmpty
        guard isTurnTaken else { return }
        let next = turnWaiters.removeFirst()
        next.hasTurn = true
        next.wake.signal()
    }
}
