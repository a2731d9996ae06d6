// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Tandem

/// Takes the signals that end things: Ctrl-C stops the answer that is being given, or leaves when there is none.
///
/// A thread of its own waits for the signals, so nothing runs inside a signal handler.
final class ChatInterrupt: Sendable {
    private struct State {
        var answer: CancellationToken?
        var restore: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Blocks the signals in this thread and all that it starts later, and begins to wait for them.
    init() {
        var signals = Self.signals()
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(self)
        let status = unsafe pthread_create(
            &thread, nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<ChatInterrupt>.fromOpaque(context).takeRetainedValue().wait()
                }
                return nil
            }, context.toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            // Without the thread signals do what they do by default.
            unsafe context.release()
            unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        }
    }

    private static func signals() -> sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&signals, number) }
        return signals
    }

    private func wait() {
        var signals = Self.signals()
        while true {
            var number: Int32 = 0
            guard unsafe sigwait(&signals, &number) == 0 else { continue }
            let (answer, restore) = state.withLock { ($0.answer, $0.restore) }
            if number == SIGINT, let answer, !answer.isCancelled {
                answer.cancel()
            } else {
                restore?()
                _exit(128 + number)
            }
        }
    }

    /// Runs `body` with a token that Ctrl-C cancels.
    func cancellable<R>(_ body: (CancellationToken) throws -> R) rethrows -> R {
        let token = CancellationToken()
        state.withLock { $0.answer = token }
        defer { state.withLock { $0.answer = nil } }
        return try body(token)
    }

    /// What puts the terminal back in order when the process is ended.
    func setRestore(_ restore: (@Sendable () -> Void)?) {
        state.withLock { $0.restore = restore }
    }
}
