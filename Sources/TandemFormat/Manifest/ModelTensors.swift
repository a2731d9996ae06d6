// SPDX-License-Identifier: Apache-2.0

/// Names of the tensors of a model (`Formats/tandem-file.md`, "Tensor names").
public enum TensorName {
    /// Token embeddings [vocabulary, hidden]; also the output head when the embeddings are tied.
    public static func embed(_ role: ModelRole) -> String { "\(role.rawValue).embed" }
    /// Weight of the final norm [hidden].
    public static func norm(_ role: ModelRole) -> String { "\(role.rawValue).norm" }
    /// Output head [vocabulary, hidden]; absent when the embeddings are tied.
    public static func head(_ role: ModelRole) -> String { "\(role.rawValue).head" }
    /// Inverse frequencies of entry `index` of ``ModelArchitecture/ropes`` [1, rotary size / 2].
    public static func rope(_ role: ModelRole, _ index: Int) -> String { "\(role.rawValue).ropes.\(index)" }
    /// Inverse frequencies for texts longer than ``ModelArchitecture/Rope/longAbove`` [1, rotary size / 2].
    public static func longRope(_ role: ModelRole, _ index: Int) -> String { "\(rope(role, index)).long" }
    /// A tensor of a transformer layer.
    public static func layer(_ role: ModelRole, _ index: Int, _ part: LayerPart) -> String {
        "\(role.rawValue).layers.\(index).\(part.rawValue)"
    }
    /// Tandem projection of secondary layer `index` [secondary hidden, primary hidden].
    public static func projection(_ index: Int) -> String { "tandem.projections.\(index)" }
}

/// The tensors that a transformer layer may have, in file order.
public enum LayerPart: String, Sendable, CaseIterable {
    case attentionNorm = "attn_norm"
    case query = "q"
    case queryBias = "q_bias"
    case key = "k"
    case keyBias = "k_bias"
    case value = "v"
    case valueBias = "v_bias"
    case queryNorm = "q_norm"
    case keyNorm = "k_norm"
    case output = "o"
    case outputBias = "o_bias"
    case attentionPostNorm = "attn_post_norm"
    case mlpNorm = "mlp_norm"
    case gate
    case gateBias = "gate_bias"
    case up
    case upBias = "up_bias"
    case down
    case downBias = "down_bias"
    case mlpPostNorm = "mlp_post_norm"

    /// True for f32 vectors, false for matrices in panels.
    public var isVector: Bool {
        switch self {
        case .query, .key, .value, .output, .gate, .up, .down: false
        default: true
        }
    }
}

extension ModelArchitecture {
    /// The tensors that a layer of this architecture has, in file order.
    public var layerParts: [LayerPart] { LayerPart.allCases.filter(has) }

    private func has(_ part: LayerPart) -> Bool {
        switch part {
        case .query, .key, .value, .output, .gate, .up, .down: true
        case .attentionNorm, .mlpNorm: normPlacement != .post
        case .attentionPostNorm, .mlpPostNorm: normPlacement != .pre
        case .queryNorm, .keyNorm: queryKeyNorm != .none
        case .queryBias, .keyBias, .valueBias: attentionBias
        case .outputBias: outputBias
        case .gateBias, .upBias, .downBias: mlpBias
        }
    }
}

/// A tensor that a configuration asks for.
public struct TensorRequirement: Sendable, Equatable {
    public let name: String
    /// 1 for a vector.
    public let rows: Int
    public let columns: Int
    /// True when the tensor must be a plain f32 vector, false when it must be a matrix in panels.
    public let isVector: Bool
    /// True when a matrix must hold 32-bit floats.
    public let isFloat: Bool

    static func vector(_ name: String, _ length: Int) -> TensorRequirement {
        TensorRequirement(name: name, rows: 1, columns: length, isVector: true, isFloat: true)
    }

    static func matrix(
        _ name: String, _ rows: Int, _ columns: Int, isFloat: Bool = false
    ) -> TensorRequirement {
        TensorRequirement(name: name, rows: rows, columns: columns, isVector: false, isFloat: isFloat)
    }
}

extension ModelConfiguration {
    /// Every tensor the model needs, in execution order.
    public func requiredTensors(_ role: ModelRole) -> [TensorRequirement] {
        var list: [TensorRequirement] = [.matrix(TensorName.embed(role), vocabularySize, hiddenSize)]
        let parts = architecture.layerParts
        list.reserveCapacity(3 + 2 * architecture.ropes.count + layerCount * parts.count)
        for (index, rope) in architecture.ropes.enumerated() {
            list.append(.vector(TensorName.rope(role, index), rope.rotarySize / 2))
            guard rope.longAbove != nil else { continue }
            list.append(.vector(TensorName.longRope(role, index), rope.rotarySize / 2))
        }
        for layer in 0..<layerCount {
            for part in parts { list.append(requirement(role, layer, part)) }
        }
        list.append(.vector(TensorName.norm(role), hiddenSize))
        if !tiedEmbeddings { list.append(.matrix(TensorName.head(role), vocabularySize, hiddenSize)) }
        return list
    }

    private func requirement(_ role: ModelRole, _ layer: Int, _ part: LayerPart) -> TensorRequirement {
        let name = TensorName.layer(role, layer, part)
        let queries = headCount * headSize
        let keys = keyValueHeadCount * headSize
        let isPerHead = architecture.queryKeyNorm == .head
        return switch part {
        case .attentionNorm, .attentionPostNorm, .mlpNorm, .mlpPostNorm: .vector(name, hiddenSize)
        case .query: .matrix(name, queries, hiddenSize)
        case .key, .value: .matrix(name, keys, hiddenSize)
        case .output: .matrix(name, hiddenSize, queries)
        case .gate, .up: .matrix(name, intermediateSize, hiddenSize)
        case .down: .matrix(name, hiddenSize, intermediateSize)
        case .queryBias: .vector(name, queries)
        case .keyBias, .valueBias: .vector(name, keys)
        case .queryNorm: .vector(name, isPerHead ? headSize : queries)
        case .keyNorm: .vector(name, isPerHead ? headSize : keys)
        case .outputBias, .downBias: .vector(name, hiddenSize)
        case .gateBias, .upBias: .vector(name, intermediateSize)
        }
    }
}

extension Manifest {
    /// Every tensor the manifest's models need, in chunk order: secondary, projections, drafting, primary.
    public func requiredTensors() -> [TensorRequirement] {
        var list = secondary?.requiredTensors(.secondary) ?? []
        if let tandem, let secondary {
            for index in tandem.layerMap.indices {
                list.append(
                    .matrix(TensorName.projection(index), secondary.hiddenSize, primary.hiddenSize))
            }
        }
        if let drafting, let secondary { list += drafting.requiredTensors(secondary: secondary) }
        return list + primary.requiredTensors(.primary)
    }
}
