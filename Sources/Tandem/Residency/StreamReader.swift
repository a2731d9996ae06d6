// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import TandemFormat

/// The thread that reads units ahead into a ring buffer, in the order of the passes, over and over.
///
/// It reads as far ahead as the ring holds, past the end of a pass into the next one, and sleeps in the kernel when the
/// ring is full. A failed read stops it until the consumer starts again.
///
/// Thread safety: one consumer at a time, which ``StreamReader/enterPass(_:)`` sees to.
@safe
final class StreamReader: @unchecked Sendable {
    /// What a wait for a unit ended with.
    @safe
    enum Outcome {
        /// The unit's region; it stays until ``StreamReader/release()``.
        case ready(UnsafeMutableRawPointer)
        case failed(FormatError)
        case cancelled
    }

    /// What reading has cost so far.
    struct Statistics {
        var bytesRead = 0
        /// Time in which a read was under way.
        var readSeconds = 0.0
        /// Time in which the consumer waited for a unit.
        var waitSeconds = 0.0
    }

    private struct Entry {
        let unit: Int
        let start: Int
        var isFilled: Bool
    }

    private let units: [StreamUnit]
    private let storage: any BlockStorage
    private let buffer: AlignedBuffer
    private let mutex = ThreadLock()
    /// Signalled at every change of what follows.
    private let changed = ThreadCondition()
    private var thread: pthread_t?

    private var ring: StreamRing
    /// Units in the ring, in order; the consumer has the first one when it is filled.
    private var queue: [Entry] = []
    /// The unit to be read next.
    private var next = 0
    /// Units that are in memory elsewhere: passes do without reading them.
    private var isHeld: [Bool]
    private var heldCount = 0
    /// Counts the restarts; a read that began before one is worthless.
    private var epoch = 0
    private var failure: FormatError?
    private var isActive = false
    /// Whether a read is under way.
    private var isReading = false
    private var isStopping = false
    private var isInPass = false
    private var counts = Statistics()

    /// How long a wait lasts before the cancellation token is looked at, in seconds.
    private static let pollInterval = 0.02

    init(units: [StreamUnit], storage: any BlockStorage, buffer: AlignedBuffer) {
        self.units = units
        self.storage = storage
        self.buffer = buffer
        isHeld = [Bool](repeating: false, count: units.count)
        ring = StreamRing(size: buffer.byteCount)
    }

    private func lock() { mutex.lock() }
    private func unlock() { mutex.unlock() }
    private func broadcast() { changed.broadcast() }
    private func wait() { changed.wait(mutex) }

    /// Waits for a change, or for a short while.
    private func waitBriefly() { changed.wait(mutex, until: monotonicSeconds() + Self.pollInterval) }

    // MARK: - Life of the thread

    /// Starts the thread.
    /// - Throws: ``TandemError/format(_:)`` when the system refuses a thread.
    func start() throws(TandemError) {
        let (number, status) = startThread { self.run() }
        guard let number else {
            throw .format(.system(operation: "start a thread to read", path: storage.path, code: status))
        }
        thread = number
    }

    /// Ends the thread and waits for it.
    func stop() {
        lock()
        isStopping = true
        broadcast()
        unlock()
        if let thread { pthread_join(thread, nil) }
        thread = nil
    }

    fileprivate func run() {
        lock()
        while let start = placeNext() {
            let unit = next
            let began = epoch
            queue.append(Entry(unit: unit, start: start, isFilled: false))
            next = (unit + 1) % units.count
            isReading = true
            unlock()
            let clock = monotonicSeconds()
            var bytes = 0
            var problem: FormatError?
            do throws(FormatError) {
                bytes = try fill(units[unit], at: start, began: began)
            } catch {
                problem = error
            }
            let seconds = monotonicSeconds() - clock
            lock()
            isReading = false
            counts.bytesRead += bytes
            counts.readSeconds += seconds
            guard epoch == began else {
                broadcast()
                continue
            }
            if let problem {
                queue.removeLast()
                ring.removeLast()
                next = unit
                failure = problem
            } else {
                queue[queue.count - 1].isFilled = true
            }
            broadcast()
        }
        unlock()
    }

    /// Room for the next unit, waited for; `nil` when the thread is to end. Called and left with the lock held.
    private func placeNext() -> Int? {
        while !isStopping {
            if isActive, failure == nil, heldCount < units.count {
                next = upcoming
                if let start = ring.place(units[next].regionLength) { return start }
            }
            wait()
        }
        return nil
    }

    private func fill(_ unit: StreamUnit, at start: Int, began: Int) throws(FormatError) -> Int {
        var position = start
        var total = 0
        for segment in unit.segments where !segment.isEmpty {
            total += unsafe try storage.readBlocks(of: segment, to: buffer.base + position) {
                lock()
                defer { unlock() }
                return epoch == began && !isStopping
            }
            position += BlockLayout.cover(segment).count
        }
        return total
    }

    // MARK: - The consumer's side

    /// Takes the reader for one pass over the units; passes of several threads take turns.
    /// - Throws: ``TandemError/cancelled`` while waiting for another one's pass.
    func enterPass(_ cancellations: [CancellationToken?]) throws(TandemError) {
        lock()
        defer { unlock() }
        while isInPass {
            if areCancelled(cancellations) { throw .cancelled }
            waitBriefly()
        }
        isInPass = true
        if failure != nil {
            failure = nil
            broadcast()
        }
    }

    func leavePass() {
        lock()
        isInPass = false
        broadcast()
        unlock()
    }

    /// Says that units are in memory elsewhere from now on, or are no more.
    func setHeld(_ units: [Int], _ areHeld: Bool) {
        lock()
        for unit in units { isHeld[unit] = areHeld }
        heldCount += areHeld ? units.count : -units.count
        broadcast()
        unlock()
    }

    /// Stops reading ahead and gives the ring's memory back. The next wait for a unit begins anew. Not during a pass.
    /// - Throws: ``TandemError/cancelled`` while a read is under way that does not end.
    func park(_ cancellations: [CancellationToken?]) throws(TandemError) {
        lock()
        defer { unlock() }
        isActive = false
        restart(at: 0)
        while isReading {
            if areCancelled(cancellations) { throw .cancelled }
            waitBriefly()
        }
        buffer.discard()
    }

    /// Waits until a unit is in the ring. Where it is not the next in line, reading starts again from it.
    func wait(for unit: Int, _ cancellations: [CancellationToken?], observer: (any PassObserver)?)
        -> Outcome
    {
        lock()
        defer { unlock() }
        // What was read ahead before it was held is passed over.
        while let first = queue.first, first.unit != unit, first.isFilled, isHeld[first.unit] {
            queue.removeFirst()
            ring.removeFirst()
        }
        if (queue.first?.unit ?? upcoming) != unit { restart(at: unit) }
        if !isActive {
            isActive = true
            broadcast()
        }
        var began: Double?
        defer { if let began { counts.waitSeconds += monotonicSeconds() - began } }
        while true {
            if let first = queue.first {
                if first.isFilled { return unsafe .ready(buffer.base + first.start) }
            } else if let failure {
                return .failed(failure)
            }
            if areCancelled(cancellations) { return .cancelled }
            if began == nil { began = monotonicSeconds() }
            waitBriefly()
            unlock()
            observer?.betweenLayers()
            lock()
        }
    }

    /// The unit that is read next; called with the lock held.
    private var upcoming: Int {
        var unit = next
        while heldCount < units.count, isHeld[unit] { unit = (unit + 1) % units.count }
        return unit
    }

    /// Gives back the region of the first unit.
    func release() {
        lock()
        if !queue.isEmpty {
            queue.removeFirst()
            ring.removeFirst()
            broadcast()
        }
        unlock()
    }

    /// Whether nobody wants the pass any more.
    private func areCancelled(_ cancellations: [CancellationToken?]) -> Bool {
        !cancellations.isEmpty && cancellations.allSatisfy { $0?.isCancelled ?? false }
    }

    private func restart(at unit: Int) {
        epoch += 1
        queue.removeAll(keepingCapacity: true)
        ring.removeAll()
        next = unit
        failure = nil
        broadcast()
    }

    var statistics: Statistics {
        lock()
        defer { unlock() }
        return counts
    }
}
