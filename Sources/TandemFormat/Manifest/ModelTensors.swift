// SPDX-License-Identifier: Apache-2.0

/// Names of the tensors of a model (`Formats/tandem-file.md`, "Tensor names").
public enum TensorName {
    /// Token embeddings [vocabulary, hidden]; also the output head when the embeddings are tied.
    public static func embed(_ role: ModelRole) -> String { "\(role.rawValue).embed" }
    /// Weight of the final norm [hidden].
    public static func norm(_ role: ModelRole) -> String { "\(role.rawValue).norm" }
    /// Output head [vocabulary, hidden]; absent when the embeddings are tied.
    public static func head(_ role: ModelRole) -> String { "\(role.rawValue).head" }
    /// A tensor of a transformer layer.
    public static func layer(_ role: ModelRole, _ index: Int, _ part: LayerPart) -> String {
        "\(role.rawValue).layers.\(index).\(part.rawValue)"
    }
    /// Tandem projection of secondary layer `index` [secondary hidden, primary hidden].
    public static func projection(_ index: Int) -> String { "tandem.projections.\(index)" }
}

/// The tensors of one transformer layer, in file order.
public enum LayerPart: String, Sendable, CaseIterable {
    case attentionNorm = "attn_norm"
    case query = "q"
    case key = "k"
    case value = "v"
    case output = "o"
    case mlpNorm = "mlp_norm"
    case gate
    case up
    case down
}

/// A tensor that a configuration asks for.
public struct TensorRequirement: Sendable, Equatable {
    public let name: String
    /// 1 for a vector.
    public let rows: Int
    public let columns: Int
    /// True when the tensor must be a plain f32 vector, false when it must be a matrix in panels.
    public let isVector: Bool
}

extension ModelConfiguration {
    /// Every tensor the model needs, in execution order.
    public func requiredTensors(_ role: ModelRole) -> [TensorRequirement] {
        var list = [requiredMatrix(TensorName.embed(role), vocabularySize, hiddenSize)]
        list.reserveCapacity(3 + layerCount * LayerPart.allCases.count)
        for layer in 0..<layerCount {
            for part in LayerPart.allCases { list.append(requirement(role, layer, part)) }
        }
        list.append(requiredVector(TensorName.norm(role), hiddenSize))
        if !tiedEmbeddings { list.append(requiredMatrix(TensorName.head(role), vocabularySize, hiddenSize)) }
        return list
    }

    private func requirement(_ role: ModelRole, _ layer: Int, _ part: LayerPart) -> TensorRequirement {
        let name = TensorName.layer(role, layer, part)
        return switch part {
        case .attentionNorm, .mlpNorm: requiredVector(name, hiddenSize)
        case .query: requiredMatrix(name, headCount * headSize, hiddenSize)
        case .key, .value: requiredMatrix(name, keyValueHeadCount * headSize, hiddenSize)
        case .output: requiredMatrix(name, hiddenSize, headCount * headSize)
        case .gate, .up: requiredMatrix(name, intermediateSize, hiddenSize)
        case .down: requiredMatrix(name, hiddenSize, intermediateSize)
        }
    }
}

extension Manifest {
    /// Every tensor the manifest's models need, in chunk order: secondary, projections, primary.
    public func requiredTensors() -> [TensorRequirement] {
        var list = secondary?.requiredTensors(.secondary) ?? []
        if let tandem, let secondary {
            for index in tandem.layerMap.indices {
                list.append(
                    requiredMatrix(TensorName.projection(index), secondary.hiddenSize, primary.hiddenSize))
            }
        }
        return list + primary.requiredTensors(.primary)
    }
}

private func requiredVector(_ name: String, _ length: Int) -> TensorRequirement {
    TensorRequirement(name: name, rows: 1, columns: length, isVector: true)
}

private func requiredMatrix(_ name: String, _ rows: Int, _ columns: Int) -> TensorRequirement {
    TensorRequirement(name: name, rows: rows, columns: columns, isVector: false)
}
