// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// A model's weights within a budget: some in memory of their own, some streamed, rows of one table read one by one.
///
/// Thread safety: immutable after init; see ``WeightStream`` and ``EmbeddingRows``.
@safe
final class ModelResidency: @unchecked Sendable {
    /// Streams what is not in memory; `nil` when nothing is streamed.
    let stream: WeightStream?
    /// Tensor index and reader of the table whose rows are read one by one.
    let gathered: (tensor: Int, rows: EmbeddingRows)?
    private let arena: AlignedBuffer
    /// Where elements and scales of each tensor in memory begin in the arena, by tensor.
    private let places: [Int: (data: Int, scales: Int)]
    private let indexOfName: [String: Int]

    /// Reads what is to be in memory.
    ///
    /// - Parameters:
    ///   - threadCount: threads that decode.
    ///   - isVerifying: compares the checksums of all chunks: of those with weights in memory here and now, of
    ///   streamed ones as they are streamed.
    /// - Throws: ``TandemError/format(_:)``, ``TandemError/outOfMemory(requestedBytes:purpose:)``.
    init(
        file: TandemFile, placement: WeightPlacement, ringLength: Int, storage: any BlockStorage,
        threadCount: Int, isVerifying: Bool
    ) throws(TandemError) {
        let layout = ResidentLayout(file: file, placement: placement)
        places = layout.places
        indexOfName = layout.indexOfName
        arena = try AlignedBuffer(byteCount: layout.length, purpose: "weights")

        let window = try BlockWindow(storage: storage, capacity: ChunkScan.windowCapacity)
        let program = StreamProgram(file: file, placement: placement)
        let ordered = program.orderedChunks(file)
        var hashes: [Int: [UInt64]] = [:]
        var rowHashes: [UInt64]?
        for (index, chunk) in file.chunks.enumerated() where !chunk.tensors.isEmpty {
            let copies = layout.copies(ofChunk: chunk, file: file, arena: arena)
            let gathers = placement.gathered.map(chunk.tensors.contains) ?? false
            // Chunks that a pass reads as a whole are verified by the first pass.
            let isWholly = ordered.contains(index) && !gathers
            if copies.isEmpty && isWholly { continue }
            // What is hashed piece by piece, in file order, and whose it is: a unit's, or a row panel's.
            var segments: [(range: Range<Int>, unit: Int?)] = []
            if isVerifying && !isWholly {
                for (number, unit) in program.units.enumerated() where unit.chunk == index {
                    segments += unit.segments.map { ($0, number) }
                }
                if gathers, let tensor = placement.gathered {
                    for panel in 0..<file.tensors[tensor].panelCount {
                        segments += EmbeddingRows.segments(
                            panel: panel, of: file.tensors[tensor], chunk: chunk
                        ).map { ($0, nil) }
                    }
                }
            }
            let order = segments.indices.sorted {
                (segments[$0].range.lowerBound, $0) < (segments[$1].range.lowerBound, $1)
            }
            var scan = ChunkScan(
                chunk: chunk, window: window, copies: copies, segments: order.map { segments[$0].range },
                isVerifying: isVerifying && !isWholly)
            try scan.run()
            guard isVerifying && !isWholly else { continue }
            var found = [UInt64](repeating: 0, count: segments.count)
            for (position, segment) in order.enumerated() { found[segment] = scan.segmentHashes[position] }
            for (segment, hash) in zip(segments, found) {
                if let unit = segment.unit {
                    hashes[unit, default: []].append(hash)
                } else {
                    rowHashes = (rowHashes ?? []) + CollectionOfOne(hash)
                }
            }
        }
        if let tensor = placement.gathered {
            let descriptor = file.tensors[tensor]
            gathered = (
                tensor,
                try EmbeddingRows(
                    storage: storage, tensor: descriptor, chunk: file.chunks[descriptor.chunk],
                    hashes: rowHashes)
            )
        } else {
            gathered = nil
        }
        stream =
            program.units.isEmpty
            ? nil
            : try WeightStream(
                file: file, program: program, storage: storage, ringLength: ringLength,
                threadCount: threadCount, hashes: isVerifying ? hashes : nil)
    }

    /// A matrix, wherever it is.
    func matrix(_ tensor: TensorDescriptor) throws(TandemError) -> Matrix {
        guard let index = indexOfName[tensor.name] else { throw .missingTensor(name: tensor.name) }
        if let place = places[index] {
            return unsafe Matrix(
                tensor, data: UnsafeRawPointer(arena.base + place.data),
                scales: UnsafeRawPointer(arena.base + place.scales))
        }
        // Nobody looks at the address of a matrix that is bound unit by unit, or read row by row.
        return unsafe Matrix(
            tensor, data: UnsafeRawPointer(arena.base), scales: nil,
            units: stream?.program.unitsOfTensor[index] ?? 0..<0)
    }

    /// A plain float vector, always in memory.
    func vector(_ tensor: TensorDescriptor) throws(TandemError) -> UnsafePointer<Float> {
        guard let index = indexOfName[tensor.name], let place = places[index] else {
            throw .missingTensor(name: tensor.name)
        }
        return unsafe UnsafePointer(arena.pointer(to: Float.self, offset: place.data))
    }

    /// What reading has cost since the weights were loaded.
    var streaming: GenerationResult.Streaming {
        var result = GenerationResult.Streaming()
        if let statistics = stream?.statistics {
            result.bytesStreamed = statistics.bytesRead
            result.storageSeconds = statistics.readSeconds
            result.waitSeconds = statistics.waitSeconds
        }
        if let gathered { result.bytesStreamed += gathered.rows.bytesRead }
        return result
    }
}

/// Where the weights in memory lie.
struct ResidentLayout {
    private(set) var places: [Int: (data: Int, scales: Int)] = [:]
    private(set) var indexOfName: [String: Int] = [:]
    private(set) var length = 0

    init(file: TandemFile, placement: WeightPlacement) {
        let streamed = Set(placement.streamed)
        for requirement in file.manifest.requiredTensors() { indexOfName[requirement.name] = -1 }
        for (index, tensor) in file.tensors.enumerated() where indexOfName[tensor.name] != nil {
            indexOfName[tensor.name] = index
            if streamed.contains(index) || placement.gathered == index { continue }
            places[index] = (length, length + Self.padded(tensor.dataLength))
            length += Self.length(of: tensor)
        }
    }

    /// Bytes a tensor takes in memory.
    static func length(of tensor: TensorDescriptor) -> Int {
        padded(tensor.dataLength) + padded(tensor.scalesLength)
    }

    private static func padded(_ length: Int) -> Int {
        (length + FormatLimits.sectionAlignment - 1) & ~(FormatLimits.sectionAlignment - 1)
    }

    /// What a chunk has to be read for, in ascending order.
    func copies(ofChunk chunk: ChunkDescriptor, file: TandemFile, arena: AlignedBuffer) -> [ChunkScan.Copy] {
        var copies: [ChunkScan.Copy] = []
        for index in chunk.tensors {
            guard let place = places[index] else { continue }
            let tensor = file.tensors[index]
            unsafe copies.append(
                ChunkScan.Copy(
                    range: tensor.dataOffset..<tensor.dataOffset + tensor.dataLength,
                    target: arena.base + place.data))
            guard tensor.scalesLength > 0 else { continue }
            unsafe copies.append(
                ChunkScan.Copy(
                    range: tensor.scalesOffset..<tensor.scalesOffset + tensor.scalesLength,
                    target: arena.base + place.scales))
        }
        return copies
    }
}
