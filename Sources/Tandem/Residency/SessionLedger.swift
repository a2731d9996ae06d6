// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// What the sessions of a model have taken of the memory its plan left for them.
///
/// Thread safety: any thread.
final class SessionLedger: Sendable {
    /// Gives its bytes back when the last reference goes.
    final class Reservation: Sendable {
        private let ledger: SessionLedger
        private let bytes: Int

        fileprivate init(ledger: SessionLedger, bytes: Int) {
            self.ledger = ledger
            self.bytes = bytes
        }

        deinit {
            ledger.state.withLock { $0.taken -= bytes }
        }
    }

    /// Memory of an open session that is written bit by bit; it counts until the last reference goes.
    ///
    /// Thread safety: whoever has the session.
    final class Sparse {
        private let ledger: SessionLedger
        private let byteCount: Int
        private var used = 0

        /// - Parameter byteCount: bytes that a reservation was made for; none of them is used yet.
        fileprivate init(ledger: SessionLedger, byteCount: Int) {
            self.ledger = ledger
            self.byteCount = byteCount
        }

        deinit {
            ledger.state.withLock { $0.unused -= byteCount - used }
        }

        /// Says that so many bytes in all are in use, or about to be; they stay so.
        func use(_ bytes: Int) {
            let more = min(bytes, byteCount) - used
            guard more > 0 else { return }
            used += more
            ledger.state.withLock { $0.unused -= more }
        }
    }

    private struct State {
        var capacity: Int?
        /// Bytes of the capacity that sessions may use before their first pass.
        var fixed = 0
        var taken = 0
        /// Bytes of what was taken that are not in use yet.
        var unused = 0
    }

    private let state: Guarded<State>

    /// - Parameter plan: `nil` = no limit.
    init(plan: MemoryPlan?) {
        state = Guarded(State())
        setLimit(plan)
    }

    /// Whether sessions have to fit.
    var isLimited: Bool { state.withLock { $0.capacity != nil } }

    /// Bytes of the open sessions.
    var takenBytes: Int { state.withLock { $0.taken } }

    /// Bytes that the plan has for sessions and that none uses before its next pass; less than 0 where open sessions take more
    /// than it has.
    var spareBytes: Int {
        state.withLock { state in
            guard let capacity = state.capacity else { return 0 }
            let left = capacity - state.taken
            return min(left, max(0, left - state.fixed)) + state.unused
        }
    }

    /// Counts memory that was taken, and that its session uses bit by bit.
    func sparse(_ byteCount: Int) -> Sparse {
        state.withLock { $0.unused += byteCount }
        return Sparse(ledger: self, byteCount: byteCount)
    }

    /// Sessions that are open stay, whatever the limit.
    func setLimit(_ plan: MemoryPlan?) {
        state.withLock { state in
            state.capacity = plan?.sessionBytes
            state.fixed = plan?.fixedSessionBytes ?? 0
        }
    }

    /// Takes bytes for a session.
    /// - Throws: ``TandemError/sessionExceedsBudget(neededBytes:leftBytes:)``.
    func reserve(_ bytes: Int) throws(TandemError) -> Reservation {
        let left: Int? = state.withLock { state in
            if let capacity = state.capacity, state.taken + bytes > capacity {
                return max(0, capacity - state.taken)
            }
            state.taken += bytes
            return nil
        }
        if let left { throw .sessionExceedsBudget(neededBytes: bytes, leftBytes: left) }
        return Reservation(ledger: self, bytes: bytes)
    }
}
