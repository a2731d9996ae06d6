// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// One run of the packer.
struct PackJob {
    private let source: PackSource
    private let options: PackOptions
    private let drafting: DraftingSource?
    private let plan: PackPlan
    private let progress: ((PackProgress) -> Void)?
    private var completedBytes = 0
    private var tensors: [PackReport.Tensor] = []
    private var compensations = CompensationCache()

    init(
        source: PackSource, options: PackOptions, progress: ((PackProgress) -> Void)?
    ) throws(PackError) {
        self.source = source
        self.options = options
        self.progress = progress
        drafting = try source.drafting(options.draftVocabulary)
        plan = try PackPlan(source: source, drafting: drafting, options: options)
    }

    mutating func run(destination: String) throws(PackError) -> PackReport {
        let writer = try formatted { () throws(FormatError) in try TandemWriter(path: destination) }
        let tokenizer = try formatted { () throws(FormatError) in
            try writer.addBlob(name: "tokenizer", bytes: source.tokenizer.bytes, codec: .lz4IfSmaller)
        }
        let manifest = try formatted { () throws(FormatError) in try self.manifest(tokenizerChunk: tokenizer)
        }
        for chunk in plan.chunks {
            try formatted { () throws(FormatError) in
                try writer.beginChunk(name: chunk.name, codec: codec(of: chunk))
            }
            for tensor in chunk.tensors { try write(tensor, to: writer) }
            try formatted { () throws(FormatError) in _ = try writer.endChunk() }
        }
        try checkCancelled()
        let size = try formatted { () throws(FormatError) in try writer.finish(manifest: manifest) }
        return PackReport(
            path: destination, fileSize: size, sourceSize: plan.sourceSize, kind: manifest.kind,
            quantization: manifest.quantization, tensors: tensors,
            chunks: try written(destination).enumerated().map { index, chunk in
                PackReport.Chunk(chunk, ratio: writer.measuredRatio(ofChunk: index))
            })
    }

    /// The chunks as a reader finds them: opening the file checks its tables once more.
    private func written(_ path: String) throws(PackError) -> [ChunkDescriptor] {
        try formatted { () throws(FormatError) in try TandemFile(path: path).chunks }
    }

    private func manifest(tokenizerChunk: Int) throws(FormatError) -> Manifest {
        try Manifest(
            primary: source.primary.configuration, secondary: source.secondary?.configuration,
            tandem: source.tandem, drafting: drafting?.configuration,
            tokenizer: TokenizerReference(
                chunk: tokenizerChunk, bos: source.tokenizer.bos, eos: source.tokenizer.eos,
                addBOS: source.tokenizer.addBOS,
                chatTemplate: options.omitsChatTemplate ? nil : source.tokenizer.chatTemplate,
                toolTemplate: options.omitsChatTemplate ? nil : source.tokenizer.toolTemplate,
                specialTokens: source.tokenizer.specialTokens),
            quantization: plan.quantization, generation: source.tokenizer.generation,
            provenance: source.provenance)
    }

    /// Only what a pass of the primary may have to read again is worth decoding again.
    private func codec(of chunk: PackPlan.Chunk) -> CodecChoice {
        guard let storage = options.targetStorage, chunk.isStreamable else { return .raw }
        return .planesIfAtMost(storage.largestRatio)
    }

    // MARK: Tensors

    private mutating func write(_ tensor: PackPlan.Tensor, to writer: TandemWriter) throws(PackError) {
        let layout = tensor.layout
        try formatted { () throws(FormatError) in
            try writer.beginTensor(
                name: tensor.name, encoding: layout.encoding, rows: layout.rows, columns: layout.columns,
                groupSize: layout.groupSize)
        }
        let error: QuantizationError
        if let treatment = tensor.treatment {
            error = try writeMatrix(tensor, treatment: treatment, to: writer)
        } else {
            try writeVector(tensor, to: writer)
            error = QuantizationError()
        }
        try formatted { () throws(FormatError) in _ = try writer.endTensor() }
        tensors.append(PackReport.Tensor(tensor, error: error))
    }

    /// A vector is small: it is read whole and stays as it is.
    private mutating func writeVector(_ tensor: PackPlan.Tensor, to writer: TandemWriter) throws(PackError) {
        try checkCancelled()
        let floats = try VectorReader.read(tensor.source, count: tensor.layout.columns)
        try formatted { () throws(FormatError) in
            try unsafe writer.appendData(
                UnsafeRawBufferPointer(start: floats.base, count: tensor.layout.dataLength))
        }
        advance(by: tensor.source.length, tensor: tensor.name)
    }

    private mutating func writeMatrix(
        _ tensor: PackPlan.Tensor, treatment: WeightTreatment, to writer: TandemWriter
    ) throws(PackError) -> QuantizationError {
        let encoder = TensorEncoder(
            source: tensor.source, layout: tensor.layout, treatment: treatment, statistics: tensor.statistics,
            compensations: &compensations)
        let pipeline = BlockPipeline(encoder: encoder, threads: options.threadCount)
        var total = QuantizationError()
        try pipeline.run { (block, encoded, error) throws(PackError) in
            try checkCancelled()
            let panels = encoder.panels(ofBlock: block)
            try formatted { () throws(FormatError) in
                try unsafe writer.appendData(
                    UnsafeRawBufferPointer(
                        start: encoded.data.base, count: panels.count * tensor.layout.panelDataLength))
                try unsafe writer.appendScales(
                    UnsafeRawBufferPointer(
                        start: encoded.scales.base, count: panels.count * tensor.layout.panelScalesLength))
            }
            total.add(error)
            let rows = min(panels.upperBound * TensorLayout.panelRows, tensor.layout.rows)
            advance(
                by: (rows - panels.lowerBound * TensorLayout.panelRows) * encoder.sourceRowLength,
                tensor: tensor.name)
        }
        try checkMagnitude(total, tensor: tensor, format: treatment.format)
        return total
    }

    /// A matrix whose largest weight is less than one step of the finest grid would become noise.
    private func checkMagnitude(
        _ error: QuantizationError, tensor: PackPlan.Tensor, format: WeightFormat
    ) throws(PackError) {
        guard error.largestWeight > 0, error.largestWeight < format.smallestMagnitude else { return }
        throw .weightsTooSmall(
            path: tensor.source.path, tensor: tensor.source.name, largest: error.largestWeight,
            format: format.name)
    }

    private func checkCancelled() throws(PackError) {
        if options.isCancelled?() ?? false { throw .cancelled }
    }

    private mutating func advance(by bytes: Int, tensor: String) {
        completedBytes += bytes
        progress?(PackProgress(completedBytes: completedBytes, totalBytes: plan.sourceSize, tensor: tensor))
    }
}

/// Runs a call of the container's module.
private func formatted<R>(_ body: () throws(FormatError) -> R) throws(PackError) -> R {
    do throws(FormatError) { return try body() } catch { throw .format(error) }
}
