// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Reads from the file what is to be in memory, and learns the checksums of what will be streamed.
@safe
struct ResidencyScan {
    let file: TandemFile
    let placement: WeightPlacement
    let program: StreamProgram
    let storage: any BlockStorage
    /// Compares the checksums of all chunks that are read here.
    let isVerifying: Bool
    /// Where a tensor goes that has to be read; `nil` for all others.
    let target: (Int) -> UnsafeMutableRawPointer?
    /// Where a tensor's scales begin, from there.
    let scalesOffset: (Int) -> Int
    /// Whether the rows of the gathered table are hashed as well.
    let hashesRows: Bool
    /// Whether chunks are skipped that hold nothing to be read or hashed; else every chunk is verified.
    let skipsKnown: Bool

    /// Hashes of the segments of units whose chunks no pass verifies, by unit.
    private(set) var unitHashes: [Int: [UInt64]] = [:]
    /// Hashes of every row panel's segments, panel by panel.
    private(set) var rowHashes: [UInt64]?

    init(
        file: TandemFile, placement: WeightPlacement, program: StreamProgram, storage: any BlockStorage,
        isVerifying: Bool, hashesRows: Bool, skipsKnown: Bool,
        target: @escaping (Int) -> UnsafeMutableRawPointer?, scalesOffset: @escaping (Int) -> Int
    ) {
        self.file = file
        self.placement = placement
        self.program = program
        self.storage = storage
        self.isVerifying = isVerifying
        self.hashesRows = hashesRows
        self.skipsKnown = skipsKnown
        unsafe self.target = target
        self.scalesOffset = scalesOffset
    }

    /// A stretch of the file that is hashed on its own, and whose it is: a unit's, or a row panel's.
    private typealias Segment = (range: Range<Int>, unit: Int?)

    mutating func run() throws(TandemError) {
        let window = try BlockWindow(storage: storage, capacity: ChunkScan.windowCapacity)
        let ordered = program.orderedChunks(file)
        for (index, chunk) in file.chunks.enumerated() where !chunk.tensors.isEmpty {
            let copies = copies(ofChunk: chunk)
            let gathers = placement.gathered.map(chunk.tensors.contains) ?? false
            // Chunks that a pass reads as a whole are verified by the first pass.
            let isWholly = ordered.contains(index) && !gathers
            if copies.isEmpty && isWholly { continue }
            let isHashing = isVerifying && !isWholly
            let segments = isHashing ? segments(ofChunk: index, chunk, gathers: gathers && hashesRows) : []
            if skipsKnown && copies.isEmpty && segments.isEmpty { continue }
            let order = segments.indices.sorted {
                (segments[$0].range.lowerBound, $0) < (segments[$1].range.lowerBound, $1)
            }
            var scan = ChunkScan(
                chunk: chunk, window: window, copies: copies, segments: order.map { segments[$0].range },
                isVerifying: isHashing)
            try scan.run()
            guard isHashing else { continue }
            var found = [UInt64](repeating: 0, count: segments.count)
            for (position, segment) in order.enumerated() { found[segment] = scan.segmentHashes[position] }
            for (segment, hash) in zip(segments, found) {
                if let unit = segment.unit {
                    unitHashes[unit, default: []].append(hash)
                } else {
                    rowHashes = (rowHashes ?? []) + CollectionOfOne(hash)
                }
            }
        }
    }

    /// What is hashed piece by piece, in any order.
    private func segments(ofChunk index: Int, _ chunk: ChunkDescriptor, gathers: Bool) -> [Segment] {
        var segments: [Segment] = []
        for (number, unit) in program.units.enumerated() where unit.chunk == index {
            segments += unit.segments.map { ($0, number) }
        }
        if gathers, let tensor = placement.gathered {
            for panel in 0..<file.tensors[tensor].panelCount {
                segments += EmbeddingRows.segments(panel: panel, of: file.tensors[tensor], chunk: chunk).map {
                    ($0, nil)
                }
            }
        }
        return segments
    }

    /// What a chunk has to be read for, in ascending order.
    private func copies(ofChunk chunk: ChunkDescriptor) -> [ChunkScan.Copy] {
        var copies: [ChunkScan.Copy] = []
        for index in chunk.tensors {
            guard let base = unsafe target(index) else { continue }
            let tensor = file.tensors[index]
            unsafe copies.append(
                ChunkScan.Copy(
                    range: tensor.dataOffset..<tensor.dataOffset + tensor.dataLength, target: base))
            guard tensor.scalesLength > 0 else { continue }
            unsafe copies.append(
                ChunkScan.Copy(
                    range: tensor.scalesOffset..<tensor.scalesOffset + tensor.scalesLength,
                    target: base + scalesOffset(index)))
        }
        return copies
    }
}
