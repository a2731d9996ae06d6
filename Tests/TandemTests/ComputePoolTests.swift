// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Tandem
import TandemFormat
import Testing

@Suite("Compute pool", .serialized) struct ComputePoolTests {
    @Test("every item runs once, on a thread of its own number", arguments: [1, 2, 3, 8])
    func items(threads: Int) {
        let pool = ComputePool(threadCount: threads)
        #expect(pool.threadCount == threads)
        for count in [0, 1, 2, 7, 100, 1000] {
            let runs = Counters(count)
            let active = Counters(threads)
            let collisions = Atomic<Int>(0)
            pool.run(count) { item, thread in
                if active.add(thread) > 0 { collisions.add(1, ordering: .relaxed) }
                runs.add(item)
                active.subtract(thread)
            }
            #expect(runs.values.allSatisfy { $0 == 1 })
            #expect(collisions.load(ordering: .relaxed) == 0)
        }
        pool.run(-5) { _, _ in Issue.record("no item was asked for") }
    }

    /// Far more threads than processors, jobs far smaller than a time slice, pauses that let workers fall asleep.
    @Test("thousands of small jobs give the right sums")
    func stress() {
        let pool = ComputePool(threadCount: 8)
        var random = TestRandom(seed: 9)
        for round in 0..<20_000 {
            let count = 2 + random.index(below: 40)
            let sum = Atomic<Int>(0)
            pool.run(count) { item, _ in sum.add(item + round, ordering: .relaxed) }
            let total = sum.load(ordering: .relaxed)
            guard total == count * (count - 1) / 2 + count * round else {
                Issue.record("round \(round): \(total)")
                return
            }
            if round % 500 == 0 { usleep(300) }
        }
    }

    @Test("what bodies write is seen after, and what was written before is seen by bodies")
    func visibility() {
        let pool = ComputePool(threadCount: 4)
        let size = 64
        let plain = UnsafeMutablePointer<Int>.allocate(capacity: size)
        unsafe plain.initialize(repeating: 0, count: size)
        defer { unsafe plain.deallocate() }
        let memory = unsafe SharedMemory(plain)
        for round in 1...5000 {
            // Each round reads what another item wrote in the last.
            pool.run(size) { item, _ in unsafe memory.base[item] += 1 }
            var isRight = true
            for item in 0..<size where unsafe memory.base[item] != round { isRight = false }
            guard isRight else {
                Issue.record("round \(round)")
                return
            }
        }
    }

    @Test("concurrent callers take turns")
    func callers() {
        let pool = ComputePool(threadCount: 4)
        let wrong = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 6) { caller in
            for round in 0..<1500 {
                let sum = Atomic<Int>(0)
                let count = 2 + (caller + round) % 30
                pool.run(count) { item, _ in sum.add(item + 1, ordering: .relaxed) }
                if sum.load(ordering: .relaxed) != count * (count + 1) / 2 {
                    wrong.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test("pools come and go without leaving threads behind")
    func lifetime() throws {
        let before = try threadCount()
        for index in 0..<200 {
            let pool = ComputePool(threadCount: 8)
            if index % 2 == 0 {
                let sum = Atomic<Int>(0)
                pool.run(20) { item, _ in sum.add(item, ordering: .relaxed) }
                #expect(sum.load(ordering: .relaxed) == 190)
            }
        }
        // Other tests run beside this one and have pools of their own; 1400 workers would show.
        #expect(try threadCount() < before + 300)
    }

    private func threadCount() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Threads:") })
        return try #require(Int(line.split(separator: "\t").last ?? ""))
    }
}

/// Atomic counters.
private final class Counters: @unchecked Sendable {
    private let lock = Guarded<[Int]>([])

    init(_ count: Int) { lock.withLock { $0 = [Int](repeating: 0, count: count) } }

    /// Adds one; returns the value before.
    @discardableResult
    func add(_ index: Int) -> Int {
        lock.withLock {
            $0[index] += 1
            return $0[index] - 1
        }
    }

    func subtract(_ index: Int) { lock.withLock { $0[index] -= 1 } }

    var values: [Int] { lock.withLock { $0 } }
}

@safe
private struct SharedMemory: @unchecked Sendable {
    let base: UnsafeMutablePointer<Int>

    init(_ base: UnsafeMutablePointer<Int>) { unsafe self.base = base }
}
