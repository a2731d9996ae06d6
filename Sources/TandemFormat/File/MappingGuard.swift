// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps the process alive when somebody truncates or overwrites a file that is mapped.
///
/// Touching a page that the file has no more ends a process (SIGBUS). So a thread holds a read lease on the file: the kernel
/// lets nobody open it for writing, or truncate it, before the thread has put zeros in the place of the mapping and given
/// the lease up. Whoever reads on reads zeros, and learns from ``isBroken`` that the results are void.
///
/// No signal handler is installed: the kernel's signal goes to the thread alone, which has it blocked and waits for it.
///
/// Thread safety: all members from any thread.
final class MappingGuard: Sendable {
    private let state: GuardState
    private let thread: pthread_t
    private let process = getpid()

    /// - Returns: nil where the kernel gives no lease: for a file of another user, on some file systems, and while
    ///   somebody has the file open for writing.
    init?(descriptor: Int32, base: UnsafeMutableRawPointer, count: Int) {
        let state = unsafe GuardState(descriptor: descriptor, base: base, count: count)
        guard let thread = state.start() else { return nil }
        self.state = state
        self.thread = thread
        guard state.waitForLease() else {
            pthread_join(thread, nil)
            return nil
        }
    }

    /// Whether the file was opened for writing, or truncated. What was read before this was false is the file's.
    var isBroken: Bool { state.isBroken.load(ordering: .acquiring) }

    /// Gives the lease up; the mapping may end afterwards.
    func stop() {
        // In a forked child there is no thread.
        guard getpid() == process else { return }
        state.isStopping.store(true, ordering: .releasing)
        pthread_kill(thread, tk_lease_signal())
        pthread_join(thread, nil)
    }
}

/// What the guard shares with its thread.
@safe
private final class GuardState: @unchecked Sendable {
    let isBroken = Atomic<Bool>(false)
    let isStopping = Atomic<Bool>(false)
    private let descriptor: Int32
    private let base: UnsafeMutableRawPointer
    private let count: Int
    private let lease = Guarded<Bool?>(nil)
    private let answered: UnsafeMutablePointer<sem_t>

    init(descriptor: Int32, base: UnsafeMutableRawPointer, count: Int) {
        self.descriptor = descriptor
        unsafe self.base = base
        self.count = count
        unsafe answered = .allocate(capacity: 1)
        unsafe sem_init(answered, 0, 0)
    }

    deinit {
        unsafe sem_destroy(answered)
        unsafe answered.deallocate()
    }

    func start() -> pthread_t? { startThread { self.run() }.thread }

    /// Waits for the thread's first word: whether it has the lease.
    func waitForLease() -> Bool {
        while unsafe sem_wait(answered) != 0 && errno == EINTR {}
        return lease.withLock { $0 ?? false }
    }

    private func run() {
        let hasLease = tk_lease_take(descriptor) == 0
        lease.withLock { $0 = hasLease }
        unsafe sem_post(answered)
        guard hasLease else { return }
        tk_lease_wait()
        if !isStopping.load(ordering: .acquiring) {
            // First the word that what follows is void, then the zeros, then the writer may go on.
            isBroken.store(true, ordering: .sequentiallyConsistent)
            unsafe _ = mmap(base, count, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
        }
        tk_lease_release(descriptor)
    }
}
