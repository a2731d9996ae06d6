// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import TandemFormat

/// Encodes the blocks of one matrix on several threads and hands them over in order.
///
/// Workers take block numbers in order and fill a small ring of slots; the calling thread consumes slot after slot.
/// Memory is bounded by the ring, and what is consumed does not depend on the number of threads.
final class BlockPipeline: @unchecked Sendable {
    private enum Slot {
        case free
        case done(Result<QuantizationError, PackError>)
    }

    private let encoder: TensorEncoder
    private let workerCount: Int
    private let blocks: [EncodedBlock]
    private let lock = ThreadLock()
    private let changed = ThreadCondition()
    // Guarded by `lock`.
    private var slots: [Slot]
    private var taken = 0
    private var consumed = 0
    private var isStopped = false

    init(encoder: TensorEncoder, threads: Int) {
        self.encoder = encoder
        workerCount = min(threads, encoder.blockCount)
        let slotCount = min(workerCount + 2, encoder.blockCount)
        blocks = (0..<slotCount).map { _ in EncodedBlock(encoder: encoder) }
        slots = Array(repeating: .free, count: slotCount)
    }

    /// Calls `consume` with every block in order, on the calling thread. When it throws, or a block cannot be encoded,
    /// all threads end before the error is thrown.
    func run(
        consume: (_ block: Int, EncodedBlock, QuantizationError) throws(PackError) -> Void
    ) throws(PackError) {
        let threads = workerCount > 1 ? startWorkers() : []
        defer { join(threads) }
        if threads.isEmpty {
            try runInline(consume)
        } else {
            for block in 0..<encoder.blockCount {
                let error = try waitFor(block).get()
                try consume(block, blocks[block % blocks.count], error)
                release(block)
            }
        }
    }

    private func runInline(
        _ consume: (_ block: Int, EncodedBlock, QuantizationError) throws(PackError) -> Void
    ) throws(PackError) {
        let scratch = EncoderScratch(encoder: encoder)
        for block in 0..<encoder.blockCount {
            let error = try encoder.encode(block: block, into: blocks[0], scratch: scratch)
            try consume(block, blocks[0], error)
        }
    }

    // MARK: Workers

    /// As many of the wanted threads as the system grants.
    private func startWorkers() -> [pthread_t] {
        var threads: [pthread_t] = []
        for _ in 0..<workerCount {
            guard let thread = startThread({ self.work() }).thread else { break }
            threads.append(thread)
        }
        return threads
    }

    private func join(_ threads: [pthread_t]) {
        guard !threads.isEmpty else { return }
        lock.lock()
        isStopped = true
        changed.broadcast()
        lock.unlock()
        for thread in threads { pthread_join(thread, nil) }
    }

    private func work() {
        let scratch = EncoderScratch(encoder: encoder)
        while let block = take() {
            let result = Result { () throws(PackError) in
                try encoder.encode(block: block, into: blocks[block % blocks.count], scratch: scratch)
            }
            lock.lock()
            slots[block % slots.count] = .done(result)
            changed.broadcast()
            lock.unlock()
        }
    }

    /// The next block that has a free slot; nil when there is none left.
    private func take() -> Int? {
        lock.lock()
        defer { lock.unlock() }
        while !isStopped && taken < encoder.blockCount && taken >= consumed + slots.count {
            changed.wait(lock)
        }
        guard !isStopped, taken < encoder.blockCount else { return nil }
        taken += 1
        return taken - 1
    }

    // MARK: Calling thread

    private func waitFor(_ block: Int) -> Result<QuantizationError, PackError> {
        lock.lock()
        defer { lock.unlock() }
        while true {
            if case .done(let result) = slots[block % slots.count] { return result }
            changed.wait(lock)
        }
    }

    private func release(_ block: Int) {
        lock.lock()
        slots[block % slots.count] = .free
        consumed = block + 1
        changed.broadcast()
        lock.unlock()
    }
}
