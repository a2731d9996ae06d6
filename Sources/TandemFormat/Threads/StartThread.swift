// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    package import Glibc
#elseif canImport(Musl)
    package import Musl
#endif

/// A closure on its way to a new thread.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// Runs `body` on a new thread with all signals blocked: these are the host's business. What the body refers to lives as
/// long as it runs.
///
/// - Returns: the thread, to be joined or detached; or the system's reason for refusing it.
package func startThread(_ body: @escaping @Sendable () -> Void) -> (thread: pthread_t?, status: Int32) {
    let context = unsafe Unmanaged.passRetained(ThreadBody(run: body))
    var all = sigset_t()
    var previous = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var thread = pthread_t()
    let status = unsafe pthread_create(
        &thread, nil,
        { context in
            if let context = unsafe context {
                unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            }
            return nil
        }, context.toOpaque())
    guard status == 0 else {
        unsafe context.release()
        return (nil, status)
    }
    return (thread, 0)
}
