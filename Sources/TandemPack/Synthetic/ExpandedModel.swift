// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// A trained model grown to a larger shape that computes the same function: a stand-in for a big model with real text.
///
/// The residual stream gets dimensions that stay zero, attention gets heads and the MLP neurons that nobody reads, and
/// between the trained layers stand layers that add nothing. Weights that only ever meet zeros, or whose results are
/// dropped, are seeded noise; the others are zero. So a pass reads and multiplies as much as one of a model of that shape,
/// and gives the small model's text up to rounding. The vocabulary and the size of a head stay the model's own.
///
/// RMSNorm divides by the root of the mean over more dimensions: its weights are multiplied by √(d/D), its epsilon by d/D.
struct ExpandedModel {
    let source: ModelSource
    let configuration: ModelConfiguration
    let seed: UInt64
    /// For every layer of the larger model, the trained layer in it.
    private let layers: [Int?]
    /// Where each head went.
    private let heads: HeadPlacement

    /// - Throws: ``PackError/invalidOption(name:value:allowed:)`` when the shape is smaller than the model or cannot hold its
    ///   heads, ``PackError/unsupportedSetting(path:key:value:reason:)`` for an architecture other than plain Llama.
    init(_ source: ModelSource, to shape: TargetShape, seed: UInt64) throws(PackError) {
        let small = source.configuration
        guard small.architecture == ModelArchitecture() else {
            throw .unsupportedSetting(
                path: source.path, key: "architecture", value: source.architecture,
                reason: "only plain Llama models can be expanded")
        }
        func refuse(_ what: String, _ own: Int, _ wanted: Int) -> PackError {
            .invalidOption(
                name: "expand", value: shape.name,
                allowed: "shapes with \(what) of at least \(own) (it has \(wanted))")
        }
        guard shape.hiddenSize >= small.hiddenSize else {
            throw refuse("a hidden size", small.hiddenSize, shape.hiddenSize)
        }
        guard shape.layerCount >= small.layerCount else {
            throw refuse("a layer count", small.layerCount, shape.layerCount)
        }
        guard shape.intermediateSize >= small.intermediateSize else {
            throw refuse("an intermediate size", small.intermediateSize, shape.intermediateSize)
        }
        let headCount = shape.headCount * shape.headSize / small.headSize
        let keyValueHeadCount = max(1, headCount * shape.keyValueHeadCount / shape.headCount)
        guard headCount % keyValueHeadCount == 0,
            let heads = HeadPlacement(small, headCount: headCount, keyValueHeadCount: keyValueHeadCount)
        else { throw refuse("a head count", small.headCount, headCount) }
        self.heads = heads
        self.source = source
        self.seed = seed
        let (new, old) = (shape.layerCount, small.layerCount)
        // Trained layer l stands last of the l-th part of the layers.
        var layers = [Int?](repeating: nil, count: new)
        for layer in 0..<old { layers[(layer + 1) * new / old - 1] = layer }
        self.layers = layers
        do throws(FormatError) {
            configuration = try ModelConfiguration(
                family: small.family, vocabularySize: small.vocabularySize, hiddenSize: shape.hiddenSize,
                layerCount: new, headCount: headCount, keyValueHeadCount: keyValueHeadCount,
                headSize: small.headSize, intermediateSize: shape.intermediateSize,
                maxPositions: small.maxPositions,
                normEpsilon: small.normEpsilon * Float(small.hiddenSize) / Float(shape.hiddenSize),
                ropeBase: small.ropeBase, tiedEmbeddings: small.tiedEmbeddings)
        } catch {
            throw .format(error)
        }
    }

    /// The depth in the larger model at which the stream is that of the small one after `layers` of its layers.
    func depth(ofTap tap: Int) -> Int {
        layers.firstIndex { $0 == tap } ?? configuration.layerCount
    }

    /// The trained layer at a depth of the larger model, or the next one after it.
    func trainedLayer(at layer: Int) -> Int {
        layers[layer...].lazy.compactMap(\.self).first ?? source.configuration.layerCount - 1
    }

    /// The larger model as the packer takes it.
    func model() throws(PackError) -> ModelSource {
        let small = source.configuration
        var bySlot: [ModelSource.Slot: SourceTensor] = [:]
        let slots = ModelSource.slots(of: small)
        for (slot, tensor) in zip(slots, source.tensors) { bySlot[slot] = tensor }
        let requirements = configuration.requiredTensors(.primary)
        var index = 0
        return try ModelSource(
            path: source.path, name: source.name, architecture: "\(source.architecture), expanded",
            configuration: configuration, ropes: [], tokenizer: source.tokenizer
        ) { (slot) throws(PackError) in
            let requirement = requirements[index]
            index += 1
            switch slot {
            case .layer(let layer, let part):
                let trained = layers[layer].flatMap { bySlot[.layer($0, part)] }
                return layerTensor(part, trained, requirement)
            default:
                guard let tensor = bySlot[slot] else {
                    throw .missingTensors(path: source.path, names: [requirement.name])
                }
                return placed(
                    tensor, requirement, rows: slot == .norm ? stream : whole(tensor.rows),
                    columns: slot == .norm ? whole(1) : stream,
                    // A tied table feeds the stream, whose new dimensions are zero.
                    otherRows: .constant(1), otherColumns: slot == .head ? noise(requirement) : .constant(0),
                    factor: slot == .norm ? normFactor : 1)
            }
        }
    }

    // MARK: Tensors

    private var normFactor: Float {
        (Float(source.configuration.hiddenSize) / Float(configuration.hiddenSize)).squareRoot()
    }

    private var stream: [Placement] { whole(source.configuration.hiddenSize) }
    private var neurons: [Placement] { whole(source.configuration.intermediateSize) }

    private func whole(_ count: Int) -> [Placement] { [Placement(source: 0, target: 0, count: count)] }

    private func noise(_ requirement: TensorRequirement) -> Filler {
        .noise(
            seed: Filler.seed(seed, tensor: requirement.name),
            deviation: 1 / Float(requirement.columns).squareRoot())
    }

    /// - Parameter trained: nil in a layer that adds nothing.
    private func layerTensor(
        _ part: LayerPart, _ trained: SourceTensor?, _ requirement: TensorRequirement
    ) -> SourceTensor {
        let writesStream = part == .output || part == .down
        guard let trained else {
            let filler: Filler =
                requirement.isVector ? .constant(1) : writesStream ? .constant(0) : noise(requirement)
            return SourceTensor(
                FilledTensor(
                    path: source.path, name: requirement.name,
                    rows: requirement.isVector ? requirement.columns : requirement.rows,
                    columns: requirement.isVector ? 1 : requirement.columns, filler: filler))
        }
        if requirement.isVector {
            return placed(
                trained, requirement, rows: stream, columns: whole(1), otherRows: .constant(1),
                otherColumns: .constant(1), factor: normFactor)
        }
        let rows: [Placement] =
            switch part {
            case .query: heads.queries
            case .key, .value: heads.keys
            case .gate, .up: neurons
            default: stream
            }
        let columns: [Placement] =
            switch part {
            case .output: heads.queries
            case .down: neurons
            default: stream
            }
        let other: Filler = writesStream ? .constant(0) : noise(requirement)
        return placed(
            trained, requirement, rows: rows, columns: columns, otherRows: other, otherColumns: other)
    }

    private func placed(
        _ tensor: SourceTensor, _ requirement: TensorRequirement, rows: [Placement], columns: [Placement],
        otherRows: Filler, otherColumns: Filler, factor: Float = 1
    ) -> SourceTensor {
        SourceTensor(
            PlacedTensor(
                source: tensor, rows: requirement.isVector ? requirement.columns : requirement.rows,
                columns: requirement.isVector ? 1 : requirement.columns, rowBlocks: rows,
                columnBlocks: columns,
                otherRows: otherRows, otherColumns: otherColumns, factor: factor))
    }

    /// A projection from this model's stream; the new dimensions of both sides stay zero.
    ///
    /// - Parameters:
    ///   - rows: hidden size of the secondary, at least the rows of the projection.
    ///   - index: the secondary's layer.
    func projection(_ tensor: SourceTensor, rows: Int, index: Int) -> SourceTensor {
        let columns = configuration.hiddenSize
        return SourceTensor(
            PlacedTensor(
                source: tensor, rows: rows, columns: columns, rowBlocks: whole(tensor.rows),
                columnBlocks: stream,
                otherRows: .constant(0),
                otherColumns: .noise(
                    seed: Filler.seed(seed, tensor: TensorName.projection(index)),
                    deviation: 1 / Float(columns).squareRoot())))
    }
}

/// Where the heads of a model go in one with more heads.
///
/// Query heads that share a key/value head stay together; where the larger model has fewer query heads to a key/value
/// head, copies of the key/value head serve them.
private struct HeadPlacement: Sendable {
    /// Rows of the query matrix, columns of the output matrix.
    private(set) var queries: [Placement] = []
    /// Rows of the key and value matrices.
    private(set) var keys: [Placement] = []

    /// nil when the heads do not fit.
    init?(_ small: ModelConfiguration, headCount: Int, keyValueHeadCount: Int) {
        let size = small.headSize
        let share = headCount / keyValueHeadCount
        let ownShare = small.headCount / small.keyValueHeadCount
        var target = 0
        for source in 0..<small.keyValueHeadCount {
            for first in stride(from: 0, to: ownShare, by: share) {
                guard target < keyValueHeadCount else { return nil }
                let count = min(share, ownShare - first)
                queries.append(
                    Placement(
                        source: (source * ownShare + first) * size, target: target * share * size,
                        count: count * size))
                keys.append(Placement(source: source * size, target: target * size, count: size))
                target += 1
            }
        }
    }
}
