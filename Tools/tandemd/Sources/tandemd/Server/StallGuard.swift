// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// Closes a connection whose client has stopped reading.
final class StallGuard: Sendable {
    private let waitingSince = Mutex<Double?>(nil)
    private let task: RepeatedTask

    /// - Parameter limit: seconds that one write may wait.
    init(_ channel: any Channel, limit: Double, onStall: @escaping @Sendable () -> Void) {
        let waitingSince = WeakBox<StallGuard>()
        task = channel.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { task in
            guard let stall = waitingSince.value else {
                task.cancel()
                return
            }
            guard let since = stall.waitingSince.withLock({ $0 }), monotonicSeconds() - since > limit else {
                return
            }
            task.cancel()
            onStall()
            channel.close(promise: nil)
        }
        waitingSince.value = self
    }

    deinit { task.cancel() }

    /// Runs one write under guard.
    func writing(_ body: () async throws -> Void) async throws {
        waitingSince.withLock { $0 = monotonicSeconds() }
        defer { waitingSince.withLock { $0 = nil } }
        try await body()
    }
}

/// A reference that keeps nothing alive.
final class WeakBox<Object: AnyObject & Sendable>: Sendable {
    private struct Reference: Sendable { weak var object: Object? }
    private let reference = Mutex(Reference())

    var value: Object? {
        get { reference.withLock { $0.object } }
        set { reference.withLock { $0.object = newValue } }
    }
}
