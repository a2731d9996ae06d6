// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Reads a chunk from its beginning: verifies it, copies some of its raw bytes, hashes some of its stored bytes.
struct ChunkScan {
    /// Raw bytes that are wanted, and where they go.
    @safe
    struct Copy {
        let range: Range<Int>
        let target: UnsafeMutableRawPointer
    }

    let chunk: ChunkDescriptor
    let window: BlockWindow
    private let copies: [Copy]
    private let segments: [Range<Int>]
    private let isVerifying: Bool
    private var whole = XXH64()
    private var nextSegment = 0
    /// Segments that have begun and not ended.
    private var open: [(segment: Int, hash: XXH64)] = []
    /// Hashes of the segments, when verifying.
    private(set) var segmentHashes: [UInt64]
    /// File offsets of the stored blocks of a compressed chunk, and of their end.
    private(set) var blockTable: [Int] = []

    /// - Parameters:
    ///   - copies: in ascending order.
    ///   - segments: file ranges inside the chunk to hash, in ascending order; only when verifying.
    ///   - isVerifying: reads the whole chunk and compares its checksum; else only what is wanted is read.
    init(
        chunk: ChunkDescriptor, window: BlockWindow, copies: [Copy], segments: [Range<Int>] = [],
        isVerifying: Bool
    ) {
        self.chunk = chunk
        self.window = window
        self.copies = copies
        self.segments = segments
        self.isVerifying = isVerifying
        segmentHashes = [UInt64](repeating: XXH64().digest(), count: segments.count)
    }

    /// Bytes a window must hold for any scan.
    static let windowCapacity = ChunkBlocks.maximumStoredLength

    mutating func run() throws(TandemError) {
        if let blocks = ChunkBlocks(chunk) {
            try runCompressed(blocks)
        } else if isVerifying {
            try runRaw(0..<chunk.rawLength)
        } else {
            for copy in copies { try runRaw(copy.range) }
        }
        guard isVerifying else { return }
        let computed = whole.digest()
        guard computed == chunk.checksum else {
            throw .format(
                .checksumMismatch(
                    field: "chunks[\(chunk.name)]", offset: chunk.offset, expected: chunk.checksum,
                    actual: computed))
        }
    }

    private mutating func runRaw(_ range: Range<Int>) throws(TandemError) {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + window.capacity, range.upperBound)
            let bytes = try unsafe window.bytes(chunk.offset + start..<chunk.offset + end)
            unsafe hash(bytes, at: chunk.offset + start)
            unsafe copy(bytes, rawStart: start)
            start = end
        }
    }

    private mutating func runCompressed(_ blocks: ChunkBlocks) throws(TandemError) {
        var scratch: AlignedBuffer?
        var offset = chunk.offset
        for block in 0..<blocks.count {
            blockTable.append(offset)
            let raw = blocks.rawRange(of: block)
            do throws(FormatError) {
                guard offset + ChunkBlocks.prefixLength <= chunk.offset + chunk.storedLength else {
                    throw .corruptBlock(
                        chunk: chunk.name, block: block, offset: offset,
                        reason: "the chunk ends before this block")
                }
            } catch {
                throw .format(error)
            }
            let prefix = try unsafe window.bytes(offset..<offset + ChunkBlocks.prefixLength)
            let stored = try Self.checked { () throws(FormatError) in
                try unsafe blocks.storedRange(of: block, prefix: prefix, at: offset)
            }
            let isWanted = copies.contains { $0.range.overlaps(raw) }
            if isVerifying || isWanted {
                let bytes = try unsafe window.bytes(stored)
                unsafe hash(bytes, at: offset)
                if isWanted {
                    let output: AlignedBuffer
                    if let scratch {
                        output = scratch
                    } else {
                        output = try AlignedBuffer(
                            byteCount: ChunkBlocks.rawLength + blocks.scratchLength,
                            purpose: "decoding the file")
                        scratch = output
                    }
                    let target = unsafe UnsafeMutableRawBufferPointer(start: output.base, count: raw.count)
                    let spare = unsafe UnsafeMutableRawBufferPointer(
                        start: output.base + ChunkBlocks.rawLength, count: blocks.scratchLength)
                    try Self.checked { () throws(FormatError) in
                        try unsafe blocks.decode(
                            block, stored: bytes, at: offset, into: target, scratch: spare)
                    }
                    unsafe copy(UnsafeRawBufferPointer(target), rawStart: raw.lowerBound)
                }
            }
            offset = stored.upperBound
        }
        blockTable.append(offset)
    }

    private func copy(_ bytes: UnsafeRawBufferPointer, rawStart: Int) {
        guard let base = bytes.baseAddress else { return }
        let range = rawStart..<rawStart + bytes.count
        for copy in copies {
            let part = copy.range.clamped(to: range)
            if part.isEmpty { continue }
            unsafe (copy.target + (part.lowerBound - copy.range.lowerBound)).copyMemory(
                from: base + (part.lowerBound - rawStart), byteCount: part.count)
        }
    }

    private mutating func hash(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard isVerifying else { return }
        unsafe whole.update(bytes)
        let range = offset..<offset + bytes.count
        while nextSegment < segments.count, segments[nextSegment].lowerBound < range.upperBound {
            open.append((nextSegment, XXH64()))
            nextSegment += 1
        }
        for member in open.indices.reversed() {
            let segment = segments[open[member].segment]
            let part = segment.clamped(to: range)
            unsafe open[member].hash.update(
                UnsafeRawBufferPointer(
                    rebasing: bytes[part.lowerBound - offset..<part.upperBound - offset]))
            guard segment.upperBound <= range.upperBound else { continue }
            segmentHashes[open[member].segment] = open[member].hash.digest()
            open.remove(at: member)
        }
    }

    private static func checked<R>(_ body: () throws(FormatError) -> R) throws(TandemError) -> R {
        do {
            return try body()
        } catch {
            throw .format(error)
        }
    }
}
