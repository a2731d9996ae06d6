// SPDX-License-Identifier: Apache-2.0

extension TandemFile {
    /// The raw bytes of a chunk: the mapped pages of a `raw` chunk, a decompressed copy of a compressed one.
    ///
    /// The stored checksum is verified first when the chunk is compressed or holds no tensors; raw tensor
    /// chunks are handed out unread, so that opening a model does not read it. Each call decompresses anew:
    /// keep the result.
    ///
    /// - Complexity: O(1) for raw tensor chunks, else O(bytes).
    public func bytes(ofChunk index: Int) throws(FormatError) -> ChunkBytes {
        let chunk = try chunkDescriptor(index)
        let range = chunk.offset..<chunk.offset + chunk.storedLength
        if chunk.codec == .raw {
            if chunk.tensors.isEmpty { try checkChecksum(chunk) }
            return ChunkBytes(mapping: mapping, range: range)
        }
        try checkChecksum(chunk)
        let stored = unsafe mapping.bytes(range)
        let blocks = try unsafe LZ4Blocks.blocks(stored, chunk: chunk)
        let memory = try AlignedMemory(count: chunk.rawLength, purpose: "chunk '\(chunk.name)'")
        let scratch = try AlignedMemory(
            count: LZ4Blocks.scratchLength(chunk), purpose: "chunk '\(chunk.name)'")
        for (number, block) in blocks.enumerated() {
            let start = number * FormatLimits.blockSize
            let output = unsafe UnsafeMutableRawBufferPointer(
                rebasing: memory.buffer[start..<start + block.rawLength])
            try unsafe LZ4Blocks.decode(
                block, index: number, of: stored, chunk: chunk, into: output, scratch: scratch.buffer)
        }
        return ChunkBytes(memory: memory)
    }

    /// Reads a whole chunk and checks all that can be wrong with it: its checksum, and that every block of a
    /// compressed chunk decodes to its length.
    ///
    /// - Throws: ``FormatError/checksumMismatch(field:offset:expected:actual:)`` naming the chunk, or
    ///   ``FormatError/corruptBlock(chunk:block:offset:reason:)``.
    public func verify(chunk index: Int) throws(FormatError) {
        let chunk = try chunkDescriptor(index)
        try checkChecksum(chunk)
        guard chunk.codec != .raw else { return }
        let stored = unsafe mapping.bytes(chunk.offset..<chunk.offset + chunk.storedLength)
        let blocks = try unsafe LZ4Blocks.blocks(stored, chunk: chunk)
        let raw = try AlignedMemory(
            count: min(FormatLimits.blockSize, chunk.rawLength), purpose: "chunk '\(chunk.name)'")
        let scratch = try AlignedMemory(
            count: LZ4Blocks.scratchLength(chunk), purpose: "chunk '\(chunk.name)'")
        for (number, block) in blocks.enumerated() {
            let output = unsafe UnsafeMutableRawBufferPointer(rebasing: raw.buffer[0..<block.rawLength])
            try unsafe LZ4Blocks.decode(
                block, index: number, of: stored, chunk: chunk, into: output, scratch: scratch.buffer)
        }
    }

    /// Tells the kernel how a chunk's pages will be used next. A hint: results never depend on it.
    public func advise(_ advice: MemoryAdvice, chunk index: Int) throws(FormatError) {
        let chunk = try chunkDescriptor(index)
        mapping.advise(advice, chunk.offset..<chunk.offset + chunk.storedLength)
    }

    private func chunkDescriptor(_ index: Int) throws(FormatError) -> ChunkDescriptor {
        guard chunks.indices.contains(index) else {
            throw .misuse("chunk \(index) does not exist; the file has \(chunks.count) chunks")
        }
        return chunks[index]
    }

    private func checkChecksum(_ chunk: ChunkDescriptor) throws(FormatError) {
        let computed = unsafe XXH64.hash(mapping.bytes(chunk.offset..<chunk.offset + chunk.storedLength))
        guard computed == chunk.checksum else {
            throw .checksumMismatch(
                field: "chunks[\(chunk.name)]", offset: chunk.offset, expected: chunk.checksum,
                actual: computed)
        }
    }
}
