// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A mutex that conditions can be waited for with.
///
/// Thread safety: any thread.
@safe
package final class ThreadLock: @unchecked Sendable {
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    package func lock() { unsafe pthread_mutex_lock(mutex) }
    package func unlock() { unsafe pthread_mutex_unlock(mutex) }
    /// Takes the lock if nobody has it; returns whether.
    package func tryLock() -> Bool { unsafe pthread_mutex_trylock(mutex) == 0 }

    package func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// A value that one thread at a time looks at. Like the standard library's `Mutex`, with a lock that sanitizers understand.
///
/// Thread safety: any thread.
package final class Guarded<Value>: @unchecked Sendable {
    private let lock = ThreadLock()
    private var value: Value

    package init(_ value: Value) {
        self.value = value
    }

    package func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}

/// Something that threads wait for while they hold a ``ThreadLock``. They may wake for no reason.
///
/// Thread safety: any thread; a wait needs the lock.
@safe
package final class ThreadCondition: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        unsafe condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
    }

    package func signal() { unsafe pthread_cond_signal(condition) }
    package func broadcast() { unsafe pthread_cond_broadcast(condition) }
    package func wait(_ lock: ThreadLock) { unsafe pthread_cond_wait(condition, lock.mutex) }

    /// Waits until the monotonic clock shows `deadline`, in seconds, at the latest.
    package func wait(_ lock: ThreadLock, until deadline: Double) {
        let whole = deadline.rounded(.down)
        var time = timespec(tv_sec: Int(whole), tv_nsec: Int((deadline - whole) * 1e9))
        unsafe pthread_cond_timedwait(condition, lock.mutex, &time)
    }
}
