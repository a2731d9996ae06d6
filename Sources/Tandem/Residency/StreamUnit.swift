// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// What is read from storage at a time: some panels of one matrix, with their scales.
///
/// A matrix of a `raw` chunk is cut into units of whole panels, so that buffers need not hold a whole matrix. One of a
/// compressed chunk is a single unit, which is decoded after it was read.
struct StreamUnit: Sendable, Equatable {
    /// Index of the tensor in the file.
    let tensor: Int
    /// Index of the chunk in the file.
    let chunk: Int
    /// Panels of the matrix.
    let panels: Range<Int>
    /// What to read, as file ranges in ascending order: the elements and the scales, together where they touch and the
    /// matrix is one unit; the stored blocks of a compressed chunk.
    let segments: [Range<Int>]
    /// Blocks of the compressed chunk in the segment; `nil` for a raw chunk.
    let blocks: Range<Int>?
    /// The first raw byte, in the compressed chunk, of the decoded bytes that belong to the unit: those of ``blocks``, and of
    /// the block before them when the unit before has decoded it.
    let decodedStart: Int
    /// True when the block before ``blocks`` is taken from what the unit before has decoded.
    let isCarrying: Bool

    /// Bytes in the ring buffer: the blocks of storage that hold the segments, one behind the other.
    var regionLength: Int {
        max(BlockLayout.size, segments.reduce(0) { $0 + BlockLayout.cover($1).count })
    }

    /// Where a segment's first byte lies in the unit's region.
    func position(ofSegment index: Int) -> Int {
        let before = segments[..<index].reduce(0) { $0 + BlockLayout.cover($1).count }
        return before + segments[index].lowerBound % BlockLayout.size
    }

    /// Where the byte at file offset `offset` lies in the unit's region.
    func position(ofByteAt offset: Int) -> Int {
        for (index, segment) in segments.enumerated() where segment.contains(offset) {
            return position(ofSegment: index) + offset - segment.lowerBound
        }
        return 0
    }
}

extension StreamUnit {
    /// Cuts a matrix of a raw chunk into units of at most `targetLength` bytes, but of at least one panel.
    static func slices(
        of tensor: TensorDescriptor, index: Int, chunk: ChunkDescriptor, targetLength: Int
    ) -> [StreamUnit] {
        let count = tensor.panelCount
        let panelLength = tensor.layout.panelDataLength + tensor.layout.panelScalesLength
        let wanted = max(1, targetLength / max(1, panelLength))
        // Slices of nearly equal size.
        let sliceCount = (count + wanted - 1) / wanted
        let data = chunk.offset + tensor.dataOffset
        let scales = chunk.offset + tensor.scalesOffset
        return (0..<sliceCount).map { slice in
            let panels = slice * count / sliceCount..<(slice + 1) * count / sliceCount
            func range(_ base: Int, _ length: Int) -> Range<Int> {
                base + panels.lowerBound * length..<base + panels.upperBound * length
            }
            var segments = [range(data, tensor.layout.panelDataLength)]
            if tensor.scalesLength > 0 {
                let own = range(scales, tensor.layout.panelScalesLength)
                if sliceCount == 1,
                    BlockLayout.cover(segments[0]).upperBound >= BlockLayout.down(own.lowerBound)
                {
                    // One read where they share a block or touch.
                    segments[0] = segments[0].lowerBound..<own.upperBound
                } else {
                    segments.append(own)
                }
            }
            return StreamUnit(
                tensor: index, chunk: tensor.chunk, panels: panels, segments: segments, blocks: nil,
                decodedStart: 0, isCarrying: false)
        }
    }

    /// A matrix of a compressed chunk as one unit.
    ///
    /// - Parameters:
    ///   - table: file offsets of the chunk's stored blocks and of their end.
    ///   - before: the unit in front, when it is of the same chunk.
    static func compressed(
        _ tensor: TensorDescriptor, index: Int, blocks: ChunkBlocks, table: [Int], before: StreamUnit?
    ) -> StreamUnit {
        let last = max(
            tensor.dataOffset + tensor.dataLength,
            tensor.scalesLength > 0 ? tensor.scalesOffset + tensor.scalesLength : 0)
        var needed = blocks.blocks(holding: tensor.dataOffset..<last)
        let isCarrying =
            if let own = before?.blocks { own.upperBound == needed.lowerBound + 1 } else { false }
        let decodedStart = needed.lowerBound * ChunkBlocks.rawLength
        if isCarrying { needed = needed.lowerBound + 1..<needed.upperBound }
        return StreamUnit(
            tensor: index, chunk: tensor.chunk, panels: 0..<tensor.panelCount,
            segments: [table[needed.lowerBound]..<table[needed.upperBound]], blocks: needed,
            decodedStart: decodedStart, isCarrying: isCarrying)
    }

    /// Bytes of decoded memory the unit needs; 0 in a raw chunk.
    func decodedLength(in chunk: ChunkDescriptor) -> Int {
        guard let blocks else { return 0 }
        return min(chunk.rawLength, blocks.upperBound * ChunkBlocks.rawLength) - decodedStart
    }
}
