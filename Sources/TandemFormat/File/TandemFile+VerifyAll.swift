// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension TandemFile {
    /// Checks every chunk as ``verify(chunk:)`` does, several at a time.
    ///
    /// One thread hashes some 20 GB/s, less than memory delivers, and storage answers several readers faster.
    ///
    /// - Parameter threadCount: threads to use, the caller's included; fewer where the system grants no more.
    /// - Throws: the error of the first damaged chunk in table order, whichever thread came upon it.
    package func verifyChunks(threadCount: Int) throws(FormatError) {
        let work = ChunkVerification(file: self)
        var threads: [pthread_t] = []
        for _ in 1..<max(1, min(threadCount, chunks.count)) {
            guard let thread = startThread({ work.run() }).thread else { break }
            threads.append(thread)
        }
        work.run()
        for thread in threads { pthread_join(thread, nil) }
        if let failure = work.firstFailure { throw failure }
    }
}

/// Chunks that threads take one after the other, the longest first.
///
/// Thread safety: a chunk's failure is written by the thread that took the chunk, and read when all have ended.
@safe
private final class ChunkVerification: @unchecked Sendable {
    private let file: TandemFile
    private let order: [Int]
    private let next = Atomic<Int>(0)
    private let failures: UnsafeMutableBufferPointer<FormatError?>

    init(file: TandemFile) {
        self.file = file
        order = file.chunks.indices.sorted { file.chunks[$0].storedLength > file.chunks[$1].storedLength }
        unsafe failures = .allocate(capacity: order.count)
        unsafe failures.initialize(repeating: nil)
    }

    deinit {
        unsafe failures.deinitialize()
        unsafe failures.deallocate()
    }

    func run() {
        while true {
            let place = next.add(1, ordering: .relaxed).oldValue
            guard place < order.count else { return }
            do throws(FormatError) {
                try file.verify(chunk: order[place])
            } catch {
                unsafe failures[order[place]] = error
            }
        }
    }

    /// To be asked when all threads have ended.
    var firstFailure: FormatError? {
        for index in unsafe failures.indices {
            if let failure = unsafe failures[index] { return failure }
        }
        return nil
    }
}
