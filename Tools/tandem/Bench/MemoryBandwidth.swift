// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem

/// Read bandwidth of main memory, by access pattern: how many places each thread reads from in turn.
///
/// One sequential stream leaves much of a modern memory system unused; decoding is held against the best pattern.
struct MemoryBandwidth {
    /// Bytes per second of all threads together, by streams per thread.
    let byStreams: [(streams: Int, bytesPerSecond: Double)]

    /// The best of all patterns.
    var best: (streams: Int, bytesPerSecond: Double) {
        byStreams.max { $0.bytesPerSecond < $1.bytesPerSecond } ?? (0, 0)
    }

    /// Measures with `threads` threads; takes about half a second.
    ///
    /// - Parameter memoryBytes: the machine's memory; an eighth of it is used, at most 512 MiB. That has to be several
    ///   times the last-level cache, or the figure is that of the cache.
    init(threads: Int, memoryBytes: Int) {
        let byteCount = min(512 << 20, max(16 << 20, memoryBytes / 8))
        let portion = byteCount / threads / 65536 * 65536
        let memory = UnsafeMutableRawPointer.allocate(byteCount: portion * threads, alignment: 4096)
        defer { unsafe memory.deallocate() }
        unsafe memset(memory, 1, portion * threads)
        byStreams = [1, 2, 4, 8, 16].map { streams in
            var best = 0.0
            for _ in 0..<3 {
                let seconds = unsafe Self.time(memory, portion: portion, threads: threads, streams: streams)
                best = max(best, Double(portion * threads) / seconds)
            }
            return (streams, best)
        }
    }

    /// What one thread reads.
    @safe private final class Job {
        let base: UnsafeRawPointer
        let count: Int
        let streams: Int
        var sum: UInt64 = 0

        init(base: UnsafeRawPointer, count: Int, streams: Int) {
            unsafe self.base = base
            self.count = count
            self.streams = streams
        }

        func run() {
            let length = count / streams
            var total = SIMD8<UInt64>()
            var offset = 0
            while offset < length {
                for stream in 0..<streams {
                    total &+= unsafe base.load(
                        fromByteOffset: stream &* length &+ offset, as: SIMD8<UInt64>.self)
                }
                offset &+= 64
            }
            sum = total.wrappedSum()
        }
    }

    private static func time(
        _ memory: UnsafeMutableRawPointer, portion: Int, threads: Int, streams: Int
    ) -> Double {
        let jobs = (0..<threads).map { index in
            unsafe Job(base: UnsafeRawPointer(memory + index * portion), count: portion, streams: streams)
        }
        let began = monotonicSeconds()
        var handles: [pthread_t] = []
        for job in jobs.dropFirst() {
            var handle = pthread_t()
            let argument = unsafe Unmanaged.passRetained(job).toOpaque()
            let status = unsafe pthread_create(
                &handle, nil,
                { pointer in
                    unsafe pointer.map { unsafe Unmanaged<Job>.fromOpaque($0).takeRetainedValue().run() }
                    return nil
                }, argument)
            if status == 0 {
                handles.append(handle)
            } else {
                unsafe Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().run()
            }
        }
        jobs[0].run()
        for handle in handles { pthread_join(handle, nil) }
        return monotonicSeconds() - began
    }
}
