// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

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
            ledger.taken.withLock { $0 -= bytes }
        }
    }

    private let capacity: Int?
    private let taken = Mutex(0)

    /// - Parameter capacity: `nil` = no limit.
    init(capacity: Int?) {
        self.capacity = capacity
    }

    /// Whether sessions have to say what they need.
    var isLimited: Bool { capacity != nil }

    /// Takes bytes for a session.
    /// - Throws: ``TandemError/sessionExceedsBudget(neededBytes:leftBytes:)``.
    func reserve(_ bytes: Int) throws(TandemError) -> Reservation {
        let left: Int? = taken.withLock { taken in
            if let capacity, taken + bytes > capacity { return capacity - taken }
            taken += bytes
            return nil
        }
        if let left { throw .sessionExceedsBudget(neededBytes: bytes, leftBytes: left) }
        return Reservation(ledger: self, bytes: bytes)
    }
}
