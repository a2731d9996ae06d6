// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// The weights of one decoder layer.
@safe
struct LayerWeights: @unchecked Sendable {
    /// RMSNorm weights [hidden].
    let attentionNorm: UnsafePointer<Float>
    let query: Matrix
    let key: Matrix
    let value: Matrix
    let output: Matrix
    /// RMSNorm weights [hidden].
    let feedForwardNorm: UnsafePointer<Float>
    let gate: Matrix
    let up: Matrix
    let down: Matrix

    init(role: ModelRole, index: Int, loader: inout WeightLoader) throws(TandemError) {
        func name(_ part: LayerPart) -> String { TensorName.layer(role, index, part) }
        unsafe attentionNorm = try loader.vector(name(.attentionNorm))
        query = try loader.matrix(name(.query))
        key = try loader.matrix(name(.key))
        value = try loader.matrix(name(.value))
        output = try loader.matrix(name(.output))
        unsafe feedForwardNorm = try loader.vector(name(.mlpNorm))
        gate = try loader.matrix(name(.gate))
        up = try loader.matrix(name(.up))
        down = try loader.matrix(name(.down))
    }
}

/// All weights of one model of the file, as views into its chunks.
///
/// Thread safety: immutable after init.
@safe
final class TransformerWeights: @unchecked Sendable {
    let configuration: ModelConfiguration
    let embedding: Matrix
    let layers: [LayerWeights]
    /// Final RMSNorm weights [hidden].
    let norm: UnsafePointer<Float>
    /// The output head; the embedding itself when tied.
    let head: Matrix
    /// RoPE inverse frequencies [headSize / 2].
    let ropeFrequencies: [Float]
    /// Keeps the bytes alive.
    private let chunks: [ChunkBytes]

    init(role: ModelRole, configuration: ModelConfiguration, loader: inout WeightLoader) throws(TandemError) {
        self.configuration = configuration
        embedding = try loader.matrix(TensorName.embed(role))
        var layers: [LayerWeights] = []
        layers.reserveCapacity(configuration.layerCount)
        for index in 0..<configuration.layerCount {
            layers.append(try LayerWeights(role: role, index: index, loader: &loader))
        }
        self.layers = layers
        unsafe norm = try loader.vector(TensorName.norm(role))
        head = configuration.tiedEmbeddings ? embedding : try loader.matrix(TensorName.head(role))
        let half = configuration.headSize / 2
        var frequencies = [Float](repeating: 0, count: half)
        unsafe frequencies.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress {
                unsafe tk_rope_frequencies(configuration.ropeBase, half, base)
            }
        }
        ropeFrequencies = frequencies
        chunks = loader.chunks
    }
}

/// Looks tensors up in a file and keeps every chunk that was touched.
struct WeightLoader {
    let file: TandemFile
    private var byIndex: [Int: ChunkBytes] = [:]

    init(file: TandemFile) {
        self.file = file
    }

    /// The chunks handed out so far.
    var chunks: [ChunkBytes] { Array(byIndex.values) }

    private mutating func bytes(ofChunk index: Int) throws(TandemError) -> ChunkBytes {
        if let bytes = byIndex[index] { return bytes }
        do {
            let bytes = try file.bytes(ofChunk: index)
            byIndex[index] = bytes
            return bytes
        } catch {
            throw .format(error)
        }
    }

    private func descriptor(_ name: String) throws(TandemError) -> TensorDescriptor {
        guard let descriptor = file.tensor(named: name) else {
            throw .missingTensor(name: name)
        }
        return descriptor
    }

    /// A matrix in panel layout.
    mutating func matrix(_ name: String) throws(TandemError) -> Matrix {
        let tensor = try descriptor(name)
        let chunk = try bytes(ofChunk: tensor.chunk)
        let base = unsafe chunk.baseAddress
        switch tensor.encoding {
        case .panelF32, .panelI8, .panelI4: break
        default: throw .unexpectedEncoding(name: name, encoding: "\(tensor.encoding)")
        }
        let quantized = tensor.encoding != .panelF32
        return unsafe Matrix(
            encoding: tensor.encoding,
            rows: tensor.rows,
            columns: tensor.columns,
            paddedColumns: tensor.paddedColumns,
            weightGroup: quantized ? tensor.groupSize : 0,
            activationGroup: quantized ? tensor.activationGroup : 0,
            panelCount: tensor.panelCount,
            data: base + tensor.dataOffset,
            scales: quantized
                ? (base + tensor.scalesOffset).assumingMemoryBound(to: UInt16.self) : nil)
    }

    /// A plain float vector.
    mutating func vector(_ name: String) throws(TandemError) -> UnsafePointer<Float> {
        let tensor = try descriptor(name)
        guard tensor.encoding == .f32 else {
            throw .unexpectedEncoding(name: name, encoding: "\(tensor.encoding)")
        }
        let chunk = try bytes(ofChunk: tensor.chunk)
        return unsafe (chunk.baseAddress + tensor.dataOffset).assumingMemoryBound(to: Float.self)
    }
}
