// SPDX-License-Identifier: Apache-2.0

import CLZ4

/// The blocks of compressed chunks, each preceded by its stored length, and the `lz4` codec's own
/// (`Formats/tandem-file.md`, "Codec lz4").
enum LZ4Blocks {
    /// Set in a block's length word when the block is stored as it is.
    static let storedFlag: UInt32 = 1 << 31
    static let prefixLength = 4

    /// Blocks of a chunk of `rawLength` bytes, at least one.
    static func count(rawLength: Int) -> Int { (rawLength - 1) / FormatLimits.blockSize + 1 }

    /// Raw bytes of block `index`.
    static func rawLength(ofBlock index: Int, total: Int) -> Int {
        min(FormatLimits.blockSize, total - index * FormatLimits.blockSize)
    }

    struct Block {
        /// Range of the stored bytes in the chunk.
        let range: Range<Int>
        let rawLength: Int
        var isStored: Bool { range.count == rawLength }
    }

    /// Finds every block and checks that together they fill the chunk exactly. O(blocks), no allocation but
    /// the list.
    static func blocks(
        _ stored: UnsafeRawBufferPointer, chunk: ChunkDescriptor
    ) throws(FormatError) -> [Block] {
        var list: [Block] = []
        let total = count(rawLength: chunk.rawLength)
        list.reserveCapacity(min(total, stored.count / prefixLength))
        var cursor = 0
        for index in 0..<total {
            func corrupt(_ reason: String) -> FormatError {
                .corruptBlock(chunk: chunk.name, block: index, offset: chunk.offset + cursor, reason: reason)
            }
            guard cursor + prefixLength <= stored.count else {
                throw corrupt("the chunk ends before this block")
            }
            let word = unsafe UInt32(
                littleEndian: stored.loadUnaligned(fromByteOffset: cursor, as: UInt32.self))
            let length = Int(word & ~storedFlag)
            let raw = rawLength(ofBlock: index, total: chunk.rawLength)
            let isStored = word & storedFlag != 0
            guard isStored ? length == raw : length >= 1 && length < raw else {
                throw corrupt("stored length \(length) is not possible for a block of \(raw) bytes")
            }
            let start = cursor + prefixLength
            guard start + length <= stored.count else {
                throw corrupt("the block runs past the end of the chunk")
            }
            list.append(Block(range: start..<start + length, rawLength: raw))
            cursor = start + length
        }
        guard cursor == stored.count else {
            throw .corruptBlock(
                chunk: chunk.name, block: total, offset: chunk.offset + cursor,
                reason: "\(stored.count - cursor) bytes follow the last block")
        }
        return list
    }

    /// Bytes of scratch that decoding a block of a chunk needs.
    static func scratchLength(_ chunk: ChunkDescriptor) -> Int {
        chunk.codec == .planes ? min(FormatLimits.blockSize, chunk.rawLength) : 0
    }

    /// Decodes one block into `output`, which has exactly the block's raw length.
    ///
    /// - Parameter scratch: ``scratchLength(_:)`` bytes.
    static func decode(
        _ block: Block, index: Int, of stored: UnsafeRawBufferPointer, chunk: ChunkDescriptor,
        into output: UnsafeMutableRawBufferPointer, scratch: UnsafeMutableRawBufferPointer
    ) throws(FormatError) {
        let input = unsafe UnsafeRawBufferPointer(rebasing: stored[block.range])
        if block.isStored {
            unsafe output.copyMemory(from: input)
            return
        }
        if chunk.codec == .planes {
            guard let reason = unsafe PlaneBlocks.decode(input, into: output, scratch: scratch) else {
                return
            }
            throw .corruptBlock(
                chunk: chunk.name, block: index, offset: chunk.offset + block.range.lowerBound, reason: reason
            )
        }
        let written = unsafe LZ4_decompress_safe(
            input.baseAddress?.assumingMemoryBound(to: CChar.self),
            output.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(input.count), Int32(output.count))
        guard Int(written) == block.rawLength else {
            let reason =
                written < 0 ? "not valid LZ4 data" : "decodes to \(written) bytes, not \(block.rawLength)"
            throw .corruptBlock(
                chunk: chunk.name, block: index, offset: chunk.offset + block.range.lowerBound, reason: reason
            )
        }
    }

    /// Bytes that `input`, at most one block, compresses to; nil when it does not shrink.
    static func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, thorough: Bool
    ) -> Int? {
        let source = unsafe input.baseAddress?.assumingMemoryBound(to: CChar.self)
        let target = unsafe output.baseAddress?.assumingMemoryBound(to: CChar.self)
        let limit = Int32(min(output.count, input.count - 1))
        let written =
            thorough
            ? unsafe LZ4_compress_HC(source, target, Int32(input.count), limit, Int32(LZ4HC_CLEVEL_DEFAULT))
            : unsafe LZ4_compress_default(source, target, Int32(input.count), limit)
        return written > 0 ? Int(written) : nil
    }
}
