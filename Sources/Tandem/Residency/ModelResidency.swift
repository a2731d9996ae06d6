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
    private let layout: ResidentLayout
    private let isPrimaryOnly: Bool
    /// What is always in memory.
    let common: AlignedBuffer
    /// What may go, by tensor.
    private let separate: [Int: AlignedBuffer]

    /// Reads what is to be in memory.
    ///
    /// - Parameters:
    ///   - heldLength: bytes there may ever be room for to hold streamed units, see ``WeightStream/setRoom(_:)``.
    ///   - threadCount: threads that decode.
    ///   - isVerifying: compares the checksums of all chunks: of those with weights in memory here and now, of
    ///   streamed ones as they are streamed.
    ///   - previous: weights of the same file that are in memory; what is needed of them is shared, not read.
    ///   - isPrimaryOnly: leaves out all but the primary's weights, which stay where they are; that goes for those who share
    ///   with these as well.
    /// - Throws: ``TandemError/format(_:)``, ``TandemError/outOfMemory(requestedBytes:purpose:)``.
    init(
        file: TandemFile, placement: WeightPlacement, ringLength: Int, heldLength: Int,
        storage: any BlockStorage, threadCount: Int, isVerifying: Bool, previous: ModelResidency? = nil,
        isPrimaryOnly: Bool = false
    ) throws(TandemError) {
        self.isPrimaryOnly = previous?.isPrimaryOnly ?? isPrimaryOnly
        let layout = ResidentLayout(file: file, placement: placement, isPrimaryOnly: self.isPrimaryOnly)
        self.layout = layout
        let common: AlignedBuffer
        if let previous {
            common = previous.common
        } else {
            common = try AlignedBuffer(byteCount: layout.length, purpose: "weights", largePages: .wanted)
        }
        self.common = common
        var separate: [Int: AlignedBuffer] = [:]
        for index in layout.separate {
            if let known = previous?.separate[index] {
                separate[index] = known
            } else {
                separate[index] = try AlignedBuffer(
                    byteCount: ResidentLayout.length(of: file.tensors[index]), purpose: "weights",
                    largePages: .wanted)
            }
        }
        self.separate = separate

        let program = StreamProgram(file: file, placement: placement)
        let rows = previous?.gathered.flatMap { $0.tensor == placement.gathered ? $0 : nil }
        var scan = unsafe ResidencyScan(
            file: file, placement: placement, program: program, storage: storage, isVerifying: isVerifying,
            hashesRows: rows == nil, skipsKnown: previous != nil || isPrimaryOnly,
            target: { index in
                if let own = separate[index] {
                    return unsafe previous?.separate[index] == nil ? own.base : nil
                }
                guard previous == nil, let place = layout.places[index] else { return nil }
                return unsafe common.base + place.data
            },
            scalesOffset: { ResidentLayout.scalesOffset(of: file.tensors[$0]) })
        try scan.run()

        if let rows {
            gathered = rows
        } else if let tensor = placement.gathered {
            let descriptor = file.tensors[tensor]
            gathered = (
                tensor,
                try EmbeddingRows(
                    storage: storage, tensor: descriptor, chunk: file.chunks[descriptor.chunk],
                    hashes: scan.rowHashes)
            )
        } else {
            gathered = nil
        }
        stream =
            program.units.isEmpty
            ? nil
            : try WeightStream(
                file: file, program: program, storage: storage, ringLength: ringLength,
                heldLength: heldLength, threadCount: threadCount, hashes: isVerifying ? scan.unitHashes : nil)
    }

    /// The matrices in memory that may go, by the file's tensors.
    var separateTensors: Set<Int> { Set(separate.keys) }

    /// A matrix, wherever it is.
    func matrix(_ tensor: TensorDescriptor) throws(TandemError) -> Matrix {
        guard let index = layout.indexOfName[tensor.name] else { throw .missingTensor(name: tensor.name) }
        if let own = separate[index] {
            return unsafe Matrix(
                tensor, data: UnsafeRawPointer(own.base),
                scales: UnsafeRawPointer(own.base + ResidentLayout.scalesOffset(of: tensor)))
        }
        if let place = layout.places[index] {
            return unsafe Matrix(
                tensor, data: UnsafeRawPointer(common.base + place.data),
                scales: UnsafeRawPointer(common.base + place.scales))
        }
        // Nobody looks at the address of a matrix that is bound unit by unit, or read row by row.
        return unsafe Matrix(
            tensor, data: UnsafeRawPointer(common.base), scales: nil,
            units: stream?.program.unitsOfTensor[index] ?? 0..<0)
    }

    /// A plain float vector, always in memory.
    func vector(_ tensor: TensorDescriptor) throws(TandemError) -> UnsafePointer<Float> {
        guard let index = layout.indexOfName[tensor.name], let place = layout.places[index] else {
            throw .missingTensor(name: tensor.name)
        }
        return unsafe UnsafePointer(common.pointer(to: Float.self, offset: place.data))
    }

    /// What reading has cost since these weights came into use.
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

    /// Bytes among those of ``streaming`` that count as read by `other` too.
    func sharedBytes(with other: ModelResidency) -> Int {
        guard let gathered, gathered.rows === other.gathered?.rows else { return 0 }
        return gathered.rows.bytesRead
    }
}
