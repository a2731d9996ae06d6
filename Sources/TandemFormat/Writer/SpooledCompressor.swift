// SPDX-License-Identifier: Apache-2.0

/// Compresses a chunk that was written raw at the end of a file, in place, a block at a time.
///
/// Memory: a few blocks, whatever the chunk's size.
struct SpooledCompressor {
    let output: OutputFile
    let offset: Int
    let rawLength: Int
    /// One that compresses.
    let codec: ChunkCodec

    private var blockCount: Int { LZ4Blocks.count(rawLength: rawLength) }

    private func readBlock(_ index: Int) throws(FormatError) -> [UInt8] {
        try output.read(
            at: offset + index * FormatLimits.blockSize,
            count: LZ4Blocks.rawLength(ofBlock: index, total: rawLength))
    }

    /// Bytes the chunk would take with fast compression; thorough compression takes no more in practice.
    func measure() throws(FormatError) -> Int {
        var coder = BlockCoder(codec: codec)
        var size = 0
        for index in 0..<blockCount {
            let block = try readBlock(index)
            size += LZ4Blocks.prefixLength
            size += coder.compress(block, thorough: false) ?? block.count
        }
        return size
    }

    /// Replaces the raw bytes by blocks and returns the checksum of the stored bytes.
    ///
    /// Writing stays behind reading: a block grows by at most its length word, and one block is always read
    /// ahead, so the two could meet only beyond 2^18 incompressible blocks (256 GiB).
    func compress() throws(FormatError) -> UInt64 {
        var hash = XXH64()
        var coder = BlockCoder(codec: codec)
        var cursor = offset
        var next = try readBlock(0)
        for index in 0..<blockCount {
            let block = next
            if index + 1 < blockCount { next = try readBlock(index + 1) }
            var stored = [UInt8](repeating: 0, count: LZ4Blocks.prefixLength)
            if let count = coder.compress(block, thorough: true) {
                stored.store(UInt32(count), at: 0)
                stored.append(contentsOf: coder.output[0..<count])
            } else {
                stored.store(UInt32(block.count) | LZ4Blocks.storedFlag, at: 0)
                stored.append(contentsOf: block)
            }
            try unsafe withBytes(stored) { (raw) throws(FormatError) in
                unsafe hash.update(raw)
                try unsafe output.overwrite(raw, at: cursor)
            }
            cursor += stored.count
        }
        try output.truncate(to: cursor)
        return hash.digest()
    }
}

/// Compresses blocks one after another.
struct BlockCoder {
    let codec: ChunkCodec
    /// What the last call made, in front.
    private(set) var output: [UInt8] = []
    private var scratch: [UInt8] = []

    init(codec: ChunkCodec) {
        self.codec = codec
    }

    /// The length of a block's payload, in the front of ``output``; nil when it does not shrink.
    mutating func compress(_ block: [UInt8], thorough: Bool) -> Int? {
        if output.count < block.count { output = [UInt8](repeating: 0, count: block.count) }
        if codec == .planes, scratch.count < block.count {
            scratch = [UInt8](repeating: 0, count: block.count)
        }
        return unsafe block.withUnsafeBytes { input in
            unsafe output.withUnsafeMutableBytes { output in
                guard codec == .planes else {
                    return unsafe LZ4Blocks.compress(input, into: output, thorough: thorough)
                }
                return unsafe scratch.withUnsafeMutableBytes { scratch in
                    unsafe PlaneBlocks.compress(input, into: output, scratch: scratch, thorough: thorough)
                }
            }
        }
    }
}

/// Estimates how a codec would do on a stream, from one block of 64 KiB in every mebibyte.
package struct CompressionSampler {
    private static let sampleSize = 64 << 10
    private static let period = 1 << 20

    private var coder: BlockCoder
    private var position = 0
    private var sample: [UInt8] = []
    private var rawBytes = 0
    private var compressedBytes = 0

    package init(codec: ChunkCodec) {
        coder = BlockCoder(codec: codec)
    }

    /// Compressed over raw bytes of the samples; nil before anything was added.
    package var ratio: Double? {
        var copy = self
        copy.finishSample()
        return copy.rawBytes == 0 ? nil : Double(copy.compressedBytes) / Double(copy.rawBytes)
    }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        while start < bytes.count {
            let phase = position % Self.period
            let sampling = phase < Self.sampleSize
            let count = min(bytes.count - start, (sampling ? Self.sampleSize : Self.period) - phase)
            if sampling {
                unsafe sample.append(contentsOf: bytes[start..<start + count])
                if phase + count == Self.sampleSize { finishSample() }
            }
            start += count
            position += count
        }
    }

    private mutating func finishSample() {
        guard !sample.isEmpty else { return }
        let count = coder.compress(sample, thorough: false)
        rawBytes += sample.count
        compressedBytes += count ?? sample.count
        sample.removeAll(keepingCapacity: true)
    }
}
