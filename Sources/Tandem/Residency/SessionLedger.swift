// SPDX-License-Identifier: Apache-2.0

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

    private struct State {
        var capacity: Int?
        var taken = 0
    }

    private let state: Guarded<State>

    /// - Parameter capacity: `nil` = no limit.
    init(capacity: Int?) {
        state = Guarded(State(capacity: capacity))
    }

    /// Whether sessions have to fit.
    var isLimited: Bool { state.withLock { $0.capacity != nil } }

    /// Bytes of the open sessions.
    var takenBytes: Int { state.withLock { $0.taken } }

    /// Sessions that are open stay, whatever the limit.
    func setCapacity(_ capacity: Int?) {
        state.withLock { $0.capacity = capacity }
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
