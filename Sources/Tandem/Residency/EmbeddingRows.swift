// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemTokenizer

/// Rows of an embedding table that is not in memory: each look-up reads the row's panel, unless it was read lately.
///
/// Thread safety: any number of threads; they take turns.
@safe
final class EmbeddingRows: @unchecked Sendable {
    /// Panels kept.
    static let slotCount = 16

    private let storage: any BlockStorage
    private let tensor: TensorDescriptor
    private let chunk: ChunkDescriptor
    /// Hashes of every panel's elements and scales, two by two; `nil` = nothing is verified.
    private let hashes: [UInt64]?
    private let buffer: AlignedBuffer
    private let slotLength: Int
    private let state = Guarded(State())

    private struct State {
        /// Panel in each slot, the time it was used last, and where its parts begin.
        var panels = [Int](repeating: -1, count: EmbeddingRows.slotCount)
        var lastUse = [Int](repeating: 0, count: EmbeddingRows.slotCount)
        var clock = 0
        var bytesRead = 0
    }

    init(
        storage: any BlockStorage, tensor: TensorDescriptor, chunk: ChunkDescriptor, hashes: [UInt64]?
    ) throws(TandemError) {
        self.storage = storage
        self.tensor = tensor
        self.chunk = chunk
        self.hashes = hashes
        slotLength = Self.slotLength(tensor)
        buffer = try AlignedBuffer(byteCount: slotLength * Self.slotCount, purpose: "embedding rows")
    }

    /// Whether rows of a table can be read one by one.
    static func canGather(_ tensor: TensorDescriptor, chunk: ChunkDescriptor) -> Bool {
        tensor.encoding.isPanel && chunk.codec == .raw
    }

    /// Bytes of memory for a table.
    static func memory(_ tensor: TensorDescriptor, isVerifying: Bool) -> Int {
        slotLength(tensor) * slotCount + (isVerifying ? tensor.panelCount * 16 : 0)
    }

    private static func slotLength(_ tensor: TensorDescriptor) -> Int {
        let parts = [tensor.layout.panelDataLength, tensor.layout.panelScalesLength]
        return parts.reduce(0) { $0 + ($1 > 0 ? BlockLayout.up($1) + BlockLayout.size : 0) }
    }

    /// File ranges of a panel: its elements, and its scales if it has any.
    static func segments(panel: Int, of tensor: TensorDescriptor, chunk: ChunkDescriptor) -> [Range<Int>] {
        let data = chunk.offset + tensor.dataOffset + panel * tensor.layout.panelDataLength
        var segments = [data..<data + tensor.layout.panelDataLength]
        if tensor.scalesLength > 0 {
            let scales = chunk.offset + tensor.scalesOffset + panel * tensor.layout.panelScalesLength
            segments.append(scales..<scales + tensor.layout.panelScalesLength)
        }
        return segments
    }

    /// Bytes read so far.
    var bytesRead: Int { state.withLock { $0.bytesRead } }

    /// Writes the rows of `tokens`, one every `stride` floats; nothing for ids outside the table.
    /// - Throws: ``TandemError/format(_:)``.
    func gather(
        _ tokens: ArraySlice<TokenID>, into output: UnsafeMutablePointer<Float>, stride: Int
    ) throws(TandemError) {
        // Neighbours in the table share a panel.
        let order = tokens.indices.filter { tokens[$0] >= 0 && Int(tokens[$0]) < tensor.rows }.sorted {
            (tokens[$0], $0) < (tokens[$1], $1)
        }
        let first = tokens.startIndex
        try state.withLock { (state) throws(TandemError) in
            for index in order {
                let row = Int(tokens[index])
                let panel = unsafe try load(row / TensorLayout.panelRows, &state)
                unsafe Matrix(tensor, data: panel.data, scales: panel.scales).gatherRow(
                    row % TensorLayout.panelRows, into: output + (index - first) * stride)
            }
        }
    }

    private func load(_ panel: Int, _ state: inout State) throws(TandemError) -> (
        data: UnsafeRawPointer, scales: UnsafeRawPointer?
    ) {
        state.clock += 1
        let segments = Self.segments(panel: panel, of: tensor, chunk: chunk)
        let slot: Int
        if let found = state.panels.firstIndex(of: panel) {
            slot = found
        } else {
            slot = state.lastUse.indices.min { state.lastUse[$0] < state.lastUse[$1] } ?? 0
            state.panels[slot] = -1
            try read(segments, panel: panel, slot: slot, &state)
            state.panels[slot] = panel
        }
        state.lastUse[slot] = state.clock
        let base = unsafe UnsafeRawPointer(buffer.base + slot * slotLength)
        let data = unsafe base + segments[0].lowerBound % BlockLayout.size
        guard segments.count > 1 else { return unsafe (data, nil) }
        let before = BlockLayout.cover(segments[0]).count
        return unsafe (data, base + before + segments[1].lowerBound % BlockLayout.size)
    }

    private func read(_ segments: [Range<Int>], panel: Int, slot: Int, _ state: inout State)
        throws(TandemError)
    {
        var target = unsafe buffer.base + slot * slotLength
        for (index, segment) in segments.enumerated() {
            do {
                state.bytesRead += unsafe try storage.readBlocks(of: segment, to: target)
            } catch {
                throw .format(error)
            }
            if let hashes {
                let bytes = unsafe UnsafeRawBufferPointer(
                    start: target + segment.lowerBound % BlockLayout.size, count: segment.count)
                let expected = hashes[panel * segments.count + index]
                let actual = unsafe XXH64.hash(bytes)
                guard actual == expected else {
                    throw .format(
                        .checksumMismatch(
                            field: "chunks[\(chunk.name)]", offset: segment.lowerBound, expected: expected,
                            actual: actual))
                }
            }
            unsafe target += BlockLayout.cover(segment).count
        }
    }
}
