// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// Larger shapes that the models of a checkpoint are grown to; they compute what they did (a stand-in for big models
/// with real text, to measure what these cost).
public struct Expansion: Sendable, Equatable {
    public var primary: TargetShape
    /// nil leaves the secondary as it is.
    public var secondary: TargetShape?
    /// Of the weights that do not matter.
    public var seed: UInt64

    public init(primary: TargetShape, secondary: TargetShape? = nil, seed: UInt64 = 1) {
        self.primary = primary
        self.secondary = secondary
        self.seed = seed
    }
}

extension PackSource {
    /// A model that comes from no checkpoint.
    init(synthetic shape: TargetShape, seed: UInt64) throws(PackError) {
        let model = try ModelSource.synthetic(shape, seed: seed)
        self.init(
            primary: model, secondary: nil, projections: [], tandem: nil,
            tokenizer: try model.tokenizer.load(vocabularySize: shape.vocabularySize),
            provenance: [
                "tool": .string("tandem pack \(LibraryVersion.current)"),
                "source": .string("synthetic \(shape.name)"),
                "seed": .integer(Int64(bitPattern: seed)),
            ])
    }

    /// The same models grown to larger shapes.
    func expanded(_ expansion: Expansion) throws(PackError) -> PackSource {
        if let shape = expansion.secondary, secondary == nil {
            throw .invalidOption(
                name: "--expand-secondary", value: shape.name,
                allowed: "left out: the source has no secondary")
        }
        let large = try ExpandedModel(primary, to: expansion.primary, seed: expansion.seed)
        var small: ExpandedModel?
        if let secondary, let shape = expansion.secondary {
            small = try ExpandedModel(secondary, to: shape, seed: expansion.seed &+ 1)
        }
        var newTandem: TandemConfiguration?
        if let tandem, let secondary {
            let own = tandem.layerMap.map(large.depth(ofTap:))
            let count = small?.configuration.layerCount ?? secondary.configuration.layerCount
            // A layer that adds nothing may read any tap; it gets that of the trained layer after it.
            let map = (0..<count).map { layer in own[small?.trainedLayer(at: layer) ?? layer] }
            do throws(FormatError) {
                newTandem = try TandemConfiguration(layerMap: map, blockLength: tandem.blockLength)
            } catch {
                throw .format(error)
            }
        }
        var provenance = self.provenance
        provenance["expanded"] = [
            "primary": .string(expansion.primary.name),
            "secondary": expansion.secondary.map { .string($0.name) } ?? .null,
            "seed": .integer(Int64(bitPattern: expansion.seed)),
        ]
        let width = secondary?.configuration.hiddenSize ?? 0
        return PackSource(
            primary: try large.model(), secondary: try small?.model() ?? secondary,
            projections: expandedProjections(large: large, small: small), tandem: newTandem,
            router: router?.widened(from: width, to: small?.configuration.hiddenSize ?? width),
            frequencies: frequencies, tokenizer: tokenizer, provenance: provenance)
    }

    private func expandedProjections(large: ExpandedModel, small: ExpandedModel?) -> [SourceTensor] {
        guard let secondary, !projections.isEmpty else { return [] }
        let hidden = small?.configuration.hiddenSize ?? secondary.configuration.hiddenSize
        let count = small?.configuration.layerCount ?? secondary.configuration.layerCount
        return (0..<count).map { layer in
            large.projection(projections[small?.trainedLayer(at: layer) ?? layer], rows: hidden, index: layer)
        }
    }
}
