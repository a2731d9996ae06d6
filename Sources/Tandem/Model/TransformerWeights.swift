// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

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
    /// What drafts are made with in place of the head; `nil` = the head itself.
    let draftHead: DraftHead?
    /// Says how likely a draft is to be kept; `nil` when the file holds no router.
    let router: RouterWeights?
    /// The ways of rotating that layers refer to by index.
    let ropes: [RopeFrequencies]
    /// Streams the matrices that are not in memory; `nil` when all are.
    let stream: WeightStream?
    /// Reads rows of the embedding table when it is not in memory.
    let embeddingRows: EmbeddingRows?
    /// Keep the bytes alive. The primary's may change place, and then go; the secondary's are among those that stay.
    private let chunks: [ChunkBytes]
    private let residency: ModelResidency?
    private let common: AlignedBuffer?

    init(role: ModelRole, configuration: ModelConfiguration, loader: inout WeightLoader) throws(TandemError) {
        self.configuration = configuration
        embedding = try loader.matrix(TensorName.embed(role))
        let architecture = configuration.architecture
        var ropes: [RopeFrequencies] = []
        for (index, rope) in architecture.ropes.enumerated() {
            ropes.append(try RopeFrequencies(role: role, index: index, rope: rope, loader: &loader))
        }
        if ropes.isEmpty {
            ropes = [RopeFrequencies(base: configuration.ropeBase, headSize: configuration.headSize)]
        }
        self.ropes = ropes
        var layers: [LayerWeights] = []
        layers.reserveCapacity(configuration.layerCount)
        for index in 0..<configuration.layerCount {
            layers.append(
                try LayerWeights(role: role, index: index, architecture: architecture, loader: &loader))
        }
        self.layers = layers
        unsafe norm = try loader.vector(TensorName.norm(role))
        head = configuration.tiedEmbeddings ? embedding : try loader.matrix(TensorName.head(role))
        let drafting = role == .secondary ? loader.file.manifest.drafting : nil
        let shared = min(loader.file.manifest.primary.vocabularySize, configuration.vocabularySize)
        if let count = drafting?.vocabularySize {
            draftHead = try DraftHead(count: count, limit: shared, loader: &loader)
        } else {
            draftHead = nil
        }
        if let router = drafting?.router {
            self.router = try RouterWeights(
                router, width: configuration.hiddenSize, vocabularySize: shared, loader: &loader)
        } else {
            router = nil
        }
        chunks = loader.chunks
        residency = role == .primary ? loader.residency : nil
        common = loader.residency?.common
        stream = role == .primary ? loader.residency?.stream : nil
        embeddingRows = role == .primary ? loader.residency?.gathered?.rows : nil
    }
}

/// Looks tensors up in a file and keeps every chunk that was touched; with a budget, in what was read of the file.
struct WeightLoader {
    let file: TandemFile
    let residency: ModelResidency?
    private var byIndex: [Int: ChunkBytes] = [:]

    init(file: TandemFile, residency: ModelResidency?) {
        self.file = file
        self.residency = residency
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
        guard tensor.encoding.isPanel else {
            throw .unexpectedEncoding(name: name, encoding: "\(tensor.encoding)")
        }
        if let residency { return try residency.matrix(tensor) }
        let base = unsafe try bytes(ofChunk: tensor.chunk).baseAddress
        return unsafe Matrix(tensor, data: base + tensor.dataOffset, scales: base + tensor.scalesOffset)
    }

    /// A plain float vector.
    mutating func vector(_ name: String) throws(TandemError) -> UnsafePointer<Float> {
        let tensor = try descriptor(name)
        guard tensor.encoding == .f32 else {
            throw .unexpectedEncoding(name: name, encoding: "\(tensor.encoding)")
        }
        if let residency { return try unsafe residency.vector(tensor) }
        let chunk = try bytes(ofChunk: tensor.chunk)
        return unsafe (chunk.baseAddress + tensor.dataOffset).assumingMemoryBound(to: Float.self)
    }
}
