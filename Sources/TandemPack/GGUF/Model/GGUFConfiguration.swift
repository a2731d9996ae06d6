// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Turns the metadata of a GGUF file into the container's configuration.
struct GGUFConfiguration {
    let settings: GGUFSettings
    let family: GGUFFamily
    let weights: GGUFWeights

    /// Sizes that the parts of a configuration share.
    struct Shape {
        let layerCount: Int
        let hiddenSize: Int
        let headCount: Int
        let headSize: Int
        let maxPositions: Int
    }

    func configuration() throws(PackError) -> (ModelConfiguration, ropes: [RopeFrequencies]) {
        for rule in GGUFRule.common + (family.hasScales ? [] : GGUFRule.unscaled) { try rule.check(settings) }
        let shape = try self.shape()
        let keyValueHeadCount = try settings.layerInteger(
            "attention.head_count_kv", layers: shape.layerCount, default: shape.headCount)
        let intermediateSize = try settings.layerInteger("feed_forward_length", layers: shape.layerCount)
        guard let epsilon = try settings.number("attention.layer_norm_rms_epsilon") else {
            throw settings.invalid("attention.layer_norm_rms_epsilon", "is missing")
        }
        let windows = try self.windows(shape)
        let rope = try self.rope(shape, windows: windows)
        var architecture = try self.architecture(shape)
        architecture.layerWindows = windows.contains { $0 > 0 } ? windows : []
        architecture.ropes = rope.kinds.map(\.description)
        architecture.layerRopes = rope.layers
        let isPlain = architecture == ModelArchitecture()
        do throws(FormatError) {
            let configuration = try ModelConfiguration(
                family: isPlain ? ModelConfiguration.plainFamily : family.name,
                vocabularySize: vocabularySize, hiddenSize: shape.hiddenSize, layerCount: shape.layerCount,
                headCount: shape.headCount, keyValueHeadCount: keyValueHeadCount, headSize: shape.headSize,
                intermediateSize: intermediateSize, maxPositions: shape.maxPositions,
                normEpsilon: Float(epsilon), ropeBase: rope.base,
                tiedEmbeddings: weights.tensors[GGUFFamily.headName] == nil, architecture: architecture)
            return (configuration, rope.kinds)
        } catch {
            throw located(error)
        }
    }

    /// The rows of the embeddings, which may be more than the tokens of the vocabulary.
    private var vocabularySize: Int { weights.tensors[GGUFFamily.embedName]?.rows ?? 0 }

    // MARK: Sizes

    private func shape() throws(PackError) -> Shape {
        guard weights.tensors[GGUFFamily.embedName] != nil else {
            throw .missingTensors(path: settings.path, names: [GGUFFamily.embedName])
        }
        let layerCount = try positive("block_count", limit: FormatLimits.maximumLayerCount)
        let hiddenSize = try positive("embedding_length", limit: FormatLimits.maximumHiddenSize)
        let headCount = try settings.layerInteger("attention.head_count", layers: layerCount)
        guard (1...FormatLimits.maximumHeadCount).contains(headCount) else {
            throw settings.invalid(
                "attention.head_count", "is \(headCount), but must be in 1...\(FormatLimits.maximumHeadCount)"
            )
        }
        let headSize = try self.headSize(hiddenSize: hiddenSize, headCount: headCount)
        return Shape(
            layerCount: layerCount, hiddenSize: hiddenSize, headCount: headCount, headSize: headSize,
            maxPositions: try positive("context_length", limit: FormatLimits.maximumPositions))
    }

    private func positive(_ name: String, limit: Int) throws(PackError) -> Int {
        let value = try settings.integer(name)
        guard (1...limit).contains(value) else {
            throw settings.invalid(name, "is \(value), but must be in 1...\(limit)")
        }
        return value
    }

    private func headSize(hiddenSize: Int, headCount: Int) throws(PackError) -> Int {
        guard settings["attention.key_length"] != nil else {
            guard hiddenSize % headCount == 0 else {
                throw settings.invalid(
                    "attention.head_count",
                    "is \(headCount), which does not divide embedding_length \(hiddenSize)")
            }
            return hiddenSize / headCount
        }
        let size = try positive("attention.key_length", limit: FormatLimits.maximumHeadSize)
        guard try settings.integer("attention.value_length", default: size) == size else {
            throw settings.unsupported("attention.value_length", "values have the size of keys, \(size)")
        }
        return size
    }

    // MARK: Architecture

    private func architecture(_ shape: Shape) throws(PackError) -> ModelArchitecture {
        var result = ModelArchitecture()
        result.normPlacement = family.normPlacement
        result.queryKeyNorm = family.queryKeyNorm
        result.activation = family.activation
        result.attentionBias =
            family.needsAttentionBias
            || has(GGUFFamily.layerName(0, .queryBias), GGUFFamily.fusedName(0, isBias: true))
        result.outputBias = has(GGUFFamily.layerName(0, .outputBias))
        result.mlpBias = has(GGUFFamily.layerName(0, .downBias))
        result.attentionScale = try attentionScale(shape)
        result.attentionSoftcap = try softcap(
            "attn_logit_softcapping", default: family.attentionSoftcap,
            isAllowed: family.attentionSoftcap != nil)
        result.logitSoftcap = try softcap(
            "final_logit_softcapping", default: family.logitSoftcap,
            isAllowed: family.logitSoftcap != nil || family.allowsLogitSoftcap)
        if family.scalesEmbeddings {
            result.embeddingScale = Float(Double(shape.hiddenSize).squareRoot())
        }
        if family.hasScales {
            result.embeddingScale = Float(try scale("embedding_scale"))
            result.residualScale = Float(try scale("residual_scale"))
            result.logitScale = Float(1 / (try scale("logit_scale")))
        }
        return result
    }

    private func has(_ names: String...) -> Bool { names.contains { weights.tensors[$0] != nil } }

    private func attentionScale(_ shape: Shape) throws(PackError) -> Float? {
        if family.hasScales { return Float(try scale("attention.scale")) }
        if let scale = try settings.factor("attention.scale") { return Float(scale) }
        guard shape.layerCount == family.widthScaledLayers else { return nil }
        return Float(1 / Double(shape.hiddenSize / shape.headCount).squareRoot())
    }

    private func scale(_ name: String) throws(PackError) -> Double {
        guard let value = try settings.factor(name) else { throw settings.invalid(name, "is missing") }
        return value
    }

    /// Zero stands for none.
    private func softcap(
        _ name: String, default fallback: Double?, isAllowed: Bool
    ) throws(PackError) -> Float? {
        guard let value = try settings.number(name) else { return fallback.map { Float($0) } }
        guard value != 0 else { return nil }
        guard isAllowed else { throw settings.unsupported(name, "the architecture has no such cap") }
        return try settings.factor(name).map { Float($0) }
    }

    /// The container's complaint in the words of the metadata.
    private func located(_ error: FormatError) -> PackError {
        guard case .invalidField(let name, _, let reason) = error else { return .format(error) }
        guard let key = GGUFConfiguration.names[name] else {
            return .invalidField(path: settings.path, field: "the metadata's \(name)", reason: reason)
        }
        return settings.invalid(key, reason)
    }

    private static let names = [
        "vocabulary_size": "vocab_size", "intermediate_size": "feed_forward_length",
        "key_value_head_count": "attention.head_count_kv", "head_size": "attention.key_length",
        "norm_epsilon": "attention.layer_norm_rms_epsilon", "rope_base": "rope.freq_base",
    ]
}
