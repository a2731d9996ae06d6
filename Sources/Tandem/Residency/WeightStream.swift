// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import TandemFormat

/// Some panels of a streamed matrix, in memory until they are released.
@safe
struct StreamedPanels {
    let panels: Range<Int>
    /// Elements of the first of the panels.
    let data: UnsafeRawPointer
    /// Scales of the first of the panels; `nil` for float weights.
    let scales: UnsafeRawPointer?
}

/// Weights that are read from storage again in every pass.
///
/// A pass takes the units of ``StreamProgram`` one by one, in order: ``acquire(_:pool:)``, use, ``release()``. The first
/// failure of a pass ends it: what is acquired afterwards is `nil`, and ``check()`` throws. The next pass starts clean.
///
/// Thread safety: ``beginPass(_:)`` makes passes take turns; all else is called by the thread that
/// holds the pass.
@safe
final class WeightStream: @unchecked Sendable {
    let program: StreamProgram
    private let file: TandemFile
    private let reader: StreamReader
    private let verifier: StreamVerifier?
    private let held: HeldUnits
    /// The unit acquired last, and where it lies.
    private var current: (unit: Int, region: UnsafeRawPointer, isHeld: Bool)?
    /// Decoded bytes of compressed chunks.
    private let decoded: AlignedBuffer?
    /// What decoding needs beside, for each thread.
    private let scratch: AlignedBuffer?
    private let scratchLength: Int
    /// Chunk and raw range that `decoded` holds.
    private var decodedContent: (chunk: Int, range: Range<Int>) = (-1, 0..<0)
    private var failure: TandemError?
    private var cancellations: [CancellationToken?] = []
    private weak var observer: (any PassObserver)?
    private let process = getpid()

    /// - Parameters:
    ///   - heldLength: bytes there may ever be room for to hold units, see ``setRoom(_:)``.
    ///   - threadCount: threads of the pool that decodes.
    ///   - hashes: of the segments of units of chunks verified already, by unit; `nil` = nothing is verified.
    init(
        file: TandemFile, program: StreamProgram, storage: any BlockStorage, ringLength: Int,
        heldLength: Int, threadCount: Int, hashes: [Int: [UInt64]]?
    ) throws(TandemError) {
        self.file = file
        self.program = program
        let buffer = try AlignedBuffer(
            byteCount: BlockLayout.up(max(ringLength, program.largestRegion)), purpose: "streamed weights")
        reader = StreamReader(units: program.units, storage: storage, buffer: buffer)
        held = try HeldUnits(program: program, capacity: heldLength)
        if let hashes {
            verifier = try StreamVerifier(
                units: program.units, chunks: file.chunks, hashes: hashes, storage: storage)
        } else {
            verifier = nil
        }
        let length = program.largestDecoded(file)
        decoded = length > 0 ? try AlignedBuffer(byteCount: length, purpose: "decoded weights") : nil
        scratchLength = program.largestScratch(file)
        scratch =
            scratchLength > 0
            ? try AlignedBuffer(byteCount: scratchLength * threadCount, purpose: "bit planes") : nil
        try reader.start()
    }

    deinit {
        // In a forked child there is no thread to wait for.
        if getpid() == process { reader.stop() }
    }

    // MARK: - Passes

    /// Takes the stream for a pass over all units, which is given up when every one of `cancellations` is cancelled (`nil`
    /// cannot be). The observer is called also while the pass waits for weights.
    /// - Throws: ``TandemError/cancelled``, ``TandemError/forkedProcess``.
    func beginPass(_ cancellations: [CancellationToken?], observer: (any PassObserver)?)
        throws(TandemError)
    {
        guard getpid() == process else { throw .forkedProcess }
        try reader.enterPass(cancellations)
        self.cancellations = cancellations
        self.observer = observer
        failure = nil
    }

    func endPass() {
        cancellations = []
        observer = nil
        reader.leavePass()
    }

    /// Leaves so many bytes to units that stay in memory from one pass to the next. Not during a pass.
    func setRoom(_ bytes: Int) {
        let gone = held.setRoom(bytes)
        if !gone.isEmpty { reader.setHeld(gone, false) }
    }

    /// Bytes of units that stay in memory; not during a pass.
    var heldBytes: Int { held.heldBytes }

    /// Gives back all memory that the next pass can fill again. Not during a pass.
    /// - Throws: ``TandemError/cancelled``, ``TandemError/forkedProcess``.
    func park(_ cancellations: [CancellationToken?]) throws(TandemError) {
        guard getpid() == process else { throw .forkedProcess }
        try reader.park(cancellations)
        setRoom(0)
        decoded?.discard()
        scratch?.discard()
        decodedContent = (-1, 0..<0)
    }

    /// - Throws: what went wrong in this pass so far: ``TandemError/format(_:)`` or ``TandemError/cancelled``.
    func check() throws(TandemError) {
        if let failure { throw failure }
    }

    /// Waits for a unit, verifies and decodes it.
    /// - Returns: `nil` when the pass has failed.
    func acquire(_ index: Int, pool: ComputePool) -> StreamedPanels? {
        guard failure == nil else { return nil }
        let region: UnsafeRawPointer
        let kept = unsafe held.region(of: index)
        if let kept = unsafe kept {
            unsafe region = kept
        } else {
            switch reader.wait(for: index, cancellations, observer: observer) {
            case .ready(let base): unsafe region = UnsafeRawPointer(base)
            case .failed(let error):
                failure = .format(error)
                return nil
            case .cancelled:
                failure = .cancelled
                return nil
            }
        }
        unsafe current = (index, region, kept != nil)
        do throws(TandemError) {
            // What was known when it was copied is not looked at again.
            if let verifier, unsafe kept == nil || !verifier.trusts(index) {
                try unsafe verifier.check(index, region: region)
            }
            return try unsafe panels(program.units[index], region: region, pool: pool)
        } catch {
            failure = error
            release()
            return nil
        }
    }

    /// Gives back the unit acquired last.
    func release() {
        guard let (unit, region, isHeld) = unsafe current else { return }
        unsafe current = nil
        guard !isHeld else { return }
        if unsafe failure == nil && held.take(unit, from: region) { reader.setHeld([unit], true) }
        reader.release()
    }

    /// What reading has cost since the model was loaded.
    var statistics: StreamReader.Statistics { reader.statistics }

    // MARK: - Bytes

    private func panels(
        _ unit: StreamUnit, region: UnsafeRawPointer, pool: ComputePool
    ) throws(TandemError) -> StreamedPanels {
        let tensor = file.tensors[unit.tensor]
        let hasScales = tensor.scalesLength > 0
        if let blocks = ChunkBlocks(file.chunks[unit.chunk]), let decoded {
            try unsafe decode(unit, blocks: blocks, region: region, pool: pool, into: decoded)
            return unsafe StreamedPanels(
                panels: unit.panels,
                data: UnsafeRawPointer(decoded.base + (tensor.dataOffset - unit.decodedStart)),
                scales: hasScales
                    ? UnsafeRawPointer(decoded.base + (tensor.scalesOffset - unit.decodedStart)) : nil)
        }
        let chunk = file.chunks[unit.chunk].offset
        let first = unit.panels.lowerBound
        let data = chunk + tensor.dataOffset + first * tensor.layout.panelDataLength
        let scales = chunk + tensor.scalesOffset + first * tensor.layout.panelScalesLength
        return unsafe StreamedPanels(
            panels: unit.panels, data: region + unit.position(ofByteAt: data),
            scales: hasScales ? region + unit.position(ofByteAt: scales) : nil)
    }

    private func decode(
        _ unit: StreamUnit, blocks: ChunkBlocks, region: UnsafeRawPointer, pool: ComputePool,
        into decoded: AlignedBuffer
    ) throws(TandemError) {
        guard let own = unit.blocks, let table = program.blockTables[unit.chunk] else { return }
        var carried = 0
        if unit.isCarrying {
            let wanted = blocks.rawRange(of: own.lowerBound - 1)
            guard decodedContent.chunk == unit.chunk, decodedContent.range.contains(wanted.lowerBound),
                decodedContent.range.upperBound >= wanted.upperBound
            else {
                throw .format(.misuse("unit of '\(file.tensors[unit.tensor].name)' taken out of order"))
            }
            let offset = wanted.lowerBound - decodedContent.range.lowerBound
            unsafe memmove(decoded.base, decoded.base + offset, wanted.count)
            carried = wanted.count
        }
        decodedContent = (-1, 0..<0)
        let base = unsafe region + unit.position(ofSegment: 0)
        // Blocks are independent: each one is an item, and each item has an error of its own.
        var errors = [FormatError?](repeating: nil, count: own.count)
        unsafe errors.withUnsafeMutableBufferPointer { slots in
            pool.run(own.count) { item, thread in
                let block = own.lowerBound + item
                let raw = blocks.rawRange(of: block)
                let stored = unsafe UnsafeRawBufferPointer(
                    start: base + (table[block] - table[own.lowerBound]),
                    count: table[block + 1] - table[block])
                let output = unsafe UnsafeMutableRawBufferPointer(
                    start: decoded.base + (raw.lowerBound - unit.decodedStart), count: raw.count)
                let spare = unsafe UnsafeMutableRawBufferPointer(
                    start: scratch.map { unsafe $0.base + thread * scratchLength }, count: scratchLength)
                do throws(FormatError) {
                    try unsafe blocks.decode(
                        block, stored: stored, at: table[block], into: output, scratch: spare)
                } catch {
                    unsafe slots[item] = error
                }
            }
        }
        if let error = errors.compactMap({ $0 }).first { throw .format(error) }
        let end =
            own.isEmpty ? unit.decodedStart + carried : blocks.rawRange(of: own.upperBound - 1).upperBound
        decodedContent = (unit.chunk, unit.decodedStart..<end)
    }
}
