// SPDX-License-Identifier: Apache-2.0

/// A compressed chunk, seen block by block, for readers that never hold the whole of it.
///
/// Each block is stored as a prefix of ``prefixLength`` bytes and its payload. Blocks decode independently and in any
/// order, each to ``rawRange(of:)`` of the chunk's raw bytes.
package struct ChunkBlocks: Sendable {
    package let chunk: ChunkDescriptor
    package static let prefixLength = LZ4Blocks.prefixLength
    /// Raw bytes of every block but the last.
    package static let rawLength = FormatLimits.blockSize
    /// Bytes that a stored block has at most, its prefix included.
    package static let maximumStoredLength = prefixLength + rawLength

    /// `nil` when the chunk is not compressed.
    package init?(_ chunk: ChunkDescriptor) {
        guard chunk.codec != .raw else { return nil }
        self.chunk = chunk
    }

    /// Bytes of scratch that ``decode(_:stored:at:into:scratch:)`` needs.
    package var scratchLength: Int { LZ4Blocks.scratchLength(chunk) }

    package var count: Int { LZ4Blocks.count(rawLength: chunk.rawLength) }

    /// The blocks that hold some of the chunk's raw bytes.
    package func blocks(holding range: Range<Int>) -> Range<Int> {
        range.lowerBound / Self.rawLength..<(range.upperBound + Self.rawLength - 1) / Self.rawLength
    }

    package func rawRange(of block: Int) -> Range<Int> {
        let start = block * Self.rawLength
        return start..<start + LZ4Blocks.rawLength(ofBlock: block, total: chunk.rawLength)
    }

    /// The file range of a stored block, prefix included, from its prefix.
    ///
    /// - Parameter offset: file offset of the prefix.
    /// - Throws: ``FormatError/corruptBlock(chunk:block:offset:reason:)`` when the block cannot be as the prefix says.
    package func storedRange(
        of block: Int, prefix: UnsafeRawBufferPointer, at offset: Int
    ) throws(FormatError) -> Range<Int> {
        let length = try unsafe payload(of: block, prefix: prefix, at: offset).length
        let end = offset + Self.prefixLength + length
        let last = chunk.offset + chunk.storedLength
        guard end <= last else {
            throw corrupt(block, offset, "the block runs past the end of the chunk")
        }
        guard block < count - 1 || end == last else {
            throw .corruptBlock(
                chunk: chunk.name, block: count, offset: end,
                reason: "\(last - end) bytes follow the last block")
        }
        return offset..<end
    }

    /// Decodes a block.
    ///
    /// - Parameters:
    ///   - stored: its prefix and payload.
    ///   - offset: file offset of the prefix, for messages.
    ///   - output: exactly the block's raw bytes.
    ///   - scratch: ``scratchLength`` bytes, used by one call at a time.
    /// - Throws: ``FormatError/corruptBlock(chunk:block:offset:reason:)``.
    package func decode(
        _ block: Int, stored: UnsafeRawBufferPointer, at offset: Int,
        into output: UnsafeMutableRawBufferPointer, scratch: UnsafeMutableRawBufferPointer
    ) throws(FormatError) {
        let payload = try unsafe payload(of: block, prefix: stored, at: offset)
        guard stored.count == Self.prefixLength + payload.length else {
            throw corrupt(
                block, offset, "stored length \(payload.length) has changed since the file was opened")
        }
        let range = Self.prefixLength..<stored.count
        try unsafe LZ4Blocks.decode(
            LZ4Blocks.Block(range: range, rawLength: rawRange(of: block).count), index: block, of: stored,
            chunk: chunk, into: output, scratch: scratch)
    }

    private func payload(
        of block: Int, prefix: UnsafeRawBufferPointer, at offset: Int
    ) throws(FormatError) -> (length: Int, isStored: Bool) {
        guard prefix.count >= Self.prefixLength else {
            throw corrupt(block, offset, "the chunk ends before this block")
        }
        let word = unsafe UInt32(littleEndian: prefix.loadUnaligned(as: UInt32.self))
        let length = Int(word & ~LZ4Blocks.storedFlag)
        let isStored = word & LZ4Blocks.storedFlag != 0
        let raw = rawRange(of: block).count
        guard isStored ? length == raw : length >= 1 && length < raw else {
            throw corrupt(
                block, offset, "stored length \(length) is not possible for a block of \(raw) bytes")
        }
        return (length, isStored)
    }

    private func corrupt(_ block: Int, _ offset: Int, _ reason: String) -> FormatError {
        .corruptBlock(chunk: chunk.name, block: block, offset: offset, reason: reason)
    }
}
