// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A switch that stops a running generation within one layer of the model.
///
/// Thread safety: any thread, and a signal handler, may call ``cancel()`` at any time.
public final class CancellationToken: Sendable {
    private let flag = Atomic<Bool>(false)

    /// A token that is not cancelled.
    public init() {}

    /// Asks the work that holds this token to stop. Cannot be undone.
    public func cancel() {
        flag.store(true, ordering: .releasing)
    }

    /// Whether ``cancel()`` was called.
    public var isCancelled: Bool {
        flag.load(ordering: .acquiring)
    }
}
