// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Which weights stay in memory, and which are read again in every pass.
struct WeightPlacement: Sendable, Equatable {
    /// Streamed matrices as indices of the file's tensors, in the order in which a pass uses them.
    var streamed: [Int] = []
    /// The embedding table whose rows are read one by one, if there is one.
    var gathered: Int?
    /// Bytes of one unit, at most, but for matrices with longer panels.
    var sliceLength = 1 << 20
    /// File offsets of the stored blocks, and of their end, of the compressed chunks that hold streamed matrices.
    var blockTables: [Int: [Int]] = [:]
}

/// The units of a pass, in order.
struct StreamProgram: Sendable {
    let units: [StreamUnit]
    /// Units of each streamed tensor, by the tensor's index.
    let unitsOfTensor: [Int: Range<Int>]
    /// File offsets of the stored blocks of the compressed chunks in use, by chunk.
    let blockTables: [Int: [Int]]

    init(file: TandemFile, placement: WeightPlacement) {
        var units: [StreamUnit] = []
        var ranges: [Int: Range<Int>] = [:]
        for index in placement.streamed {
            let tensor = file.tensors[index]
            let chunk = file.chunks[tensor.chunk]
            let first = units.count
            if let blocks = ChunkBlocks(chunk), let table = placement.blockTables[tensor.chunk] {
                let before = units.last.flatMap { $0.chunk == tensor.chunk ? $0 : nil }
                units.append(
                    .compressed(tensor, index: index, blocks: blocks, table: table, before: before))
            } else {
                units += StreamUnit.slices(
                    of: tensor, index: index, chunk: chunk, targetLength: placement.sliceLength)
            }
            ranges[index] = first..<units.count
        }
        self.units = units
        unitsOfTensor = ranges
        blockTables = placement.blockTables
    }

    /// Bytes read from storage in one pass.
    var passLength: Int {
        units.reduce(0) { sum, unit in
            unit.segments.reduce(sum) { $0 + BlockLayout.cover($1).count }
        }
    }

    /// The units in the order in which they are kept where there is room: however many these are, they lie at nearly equal
    /// distances, so that storage goes on reading while they are computed with.
    var holdingOrder: [Int] {
        var bits = 0
        while 1 << bits < units.count { bits += 1 }
        return (0..<1 << bits).compactMap { index in
            // The bits of the index, reversed.
            let unit = (0..<bits).reduce(0) { $0 << 1 | index >> $1 & 1 }
            return unit < units.count ? unit : nil
        }
    }

    /// The units that are kept in `bytes`.
    func heldUnits(within bytes: Int) -> [StreamUnit] {
        var left = bytes
        return holdingOrder.map { units[$0] }.prefix { unit in
            left -= unit.regionLength
            return left >= 0
        }
    }

    /// Bytes of the largest region in the ring buffer.
    var largestRegion: Int { units.reduce(0) { max($0, $1.regionLength) } }

    /// Bytes of decoded memory that the units need.
    func largestDecoded(_ file: TandemFile) -> Int {
        units.reduce(0) { max($0, $1.decodedLength(in: file.chunks[$1.chunk])) }
    }

    /// Bytes of scratch that each thread needs for decoding.
    func largestScratch(_ file: TandemFile) -> Int {
        units.reduce(0) { max($0, ChunkBlocks(file.chunks[$1.chunk])?.scratchLength ?? 0) }
    }

    /// Chunks whose units stand in file order with nothing else of the model's matrices among them, so that one pass can
    /// verify the chunk's checksum.
    func orderedChunks(_ file: TandemFile) -> Set<Int> {
        var ordered: Set<Int> = []
        var broken: Set<Int> = []
        var lastEnd: [Int: Int] = [:]
        var lastChunk: Int?
        for unit in units {
            guard let start = unit.segments.first?.lowerBound else { continue }
            let isNew = lastChunk != unit.chunk
            if isNew ? lastEnd[unit.chunk] != nil : start < lastEnd[unit.chunk] ?? 0 {
                broken.insert(unit.chunk)
            }
            lastEnd[unit.chunk] = start
            lastChunk = unit.chunk
            ordered.insert(unit.chunk)
        }
        for (index, tensor) in file.tensors.enumerated()
        where tensor.encoding.isPanel && unitsOfTensor[index] == nil {
            broken.insert(tensor.chunk)
        }
        return ordered.subtracting(broken)
    }
}
