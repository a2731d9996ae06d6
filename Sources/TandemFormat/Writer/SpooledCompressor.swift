// SPDX-License-Identifier: Apache-2.0

/// Compresses a chunk that was written raw at the end of a file, in place, a block at a time.
///
/// Memory: a few blocks, whatever the chunk's size.
struct SpooledCompressor {
    let output: OutputFile
    let offset: Int
    let rawLength: Int

    private var blockCount: Int { LZ4Blocks.count(rawLength: rawLength) }

    private func readBlock(_ index: Int) throws(FormatError) -> [UInt8] {
        try output.read(
            at: offset + index * FormatLimits.blockSize,
            count: LZ4Blocks.rawLength(ofBlock: index, total: rawLength))
    }

    /// Bytes the chunk would take with fast compression; thorough compression takes no more in practice.
    func measure() throws(FormatError) -> Int {
        var scratch = [UInt8](repeating: 0, count: FormatLimits.blockSize)
        var size = 0
        for index in 0..<blockCount {
            let block = try readBlock(index)
            size += LZ4Blocks.prefixLength
            size += LZ4Blocks.compressedCount(of: block, scratch: &scratch, thorough: false) ?? block.count
        }
        return size
    }

    /// Replaces the raw bytes by blocks and returns the checksum of the stored bytes.
    ///
    /// Writing stays behind reading: a block grows by at most its length word, and one block is always read
    /// ahead, so the two could meet only beyond 2^18 incompressible blocks (256 GiB).
    func compress() throws(FormatError) -> UInt64 {
        var hash = XXH64()
        var scratch = [UInt8](repeating: 0, count: FormatLimits.blockSize)
        var cursor = offset
        var next = try readBlock(0)
        for index in 0..<blockCount {
            let block = next
            if index + 1 < blockCount { next = try readBlock(index + 1) }
            var stored = [UInt8](repeating: 0, count: LZ4Blocks.prefixLength)
            if let count = LZ4Blocks.compressedCount(of: block, scratch: &scratch, thorough: true) {
                stored.store(UInt32(count), at: 0)
                stored.append(contentsOf: scratch[0..<count])
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

/// Estimates how LZ4 would do on a stream, from one block of 64 KiB in every mebibyte.
struct CompressionSampler {
    private static let sampleSize = 64 << 10
    private static let period = 1 << 20

    private var position = 0
    private var sample: [UInt8] = []
    private var rawBytes = 0
    private var compressedBytes = 0

    /// Compressed over raw bytes of the samples; nil before anything was added.
    var ratio: Double? {
        var copy = self
        copy.finishSample()
        return copy.rawBytes == 0 ? nil : Double(copy.compressedBytes) / Double(copy.rawBytes)
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
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
        var scratch = [UInt8](repeating: 0, count: sample.count)
        let count = LZ4Blocks.compressedCount(of: sample, scratch: &scratch, thorough: false)
        rawBytes += sample.count
        compressedBytes += count ?? sample.count
        sample.removeAll(keepingCapacity: true)
    }
}

extension LZ4Blocks {
    /// Compresses an array into the front of `scratch`; nil when it does not shrink.
    static func compressedCount(of bytes: [UInt8], scratch: inout [UInt8], thorough: Bool) -> Int? {
        unsafe bytes.withUnsafeBytes { input in
            unsafe scratch.withUnsafeMutableBytes { output in
                unsafe compress(input, into: output, thorough: thorough)
            }
        }
    }
}
