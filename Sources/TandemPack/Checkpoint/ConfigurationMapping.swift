// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// Turns a Hugging Face config.json into the container's configuration.
struct ConfigurationMapping {
    /// The language model's settings.
    let settings: JSONFile
    /// The whole config.json, of which ``settings`` may be a part.
    let root: JSONFile
    let family: ModelFamily

    /// The sizes that the architecture's members depend on.
    struct LayerShape {
        let layerCount: Int
        let hiddenSize: Int
        let headSize: Int
        let maxPositions: Int
    }

    /// The configuration, and frequencies for each entry of its `ropes`.
    func configuration() throws(PackError) -> (configuration: ModelConfiguration, ropes: [RopeFrequencies]) {
        let defaults = family.defaults
        let vocabularySize = try settings.integer("vocab_size", default: defaults.vocabularySize)
        let hiddenSize = try settings.integer("hidden_size", default: defaults.hiddenSize)
        let layerCount = try size(
            "num_hidden_layers", default: defaults.layerCount, limit: FormatLimits.maximumLayerCount)
        let headCount = try settings.integer("num_attention_heads", default: defaults.headCount)
        let keyValueHeadCount = try self.keyValueHeadCount(headCount: headCount)
        let headSize = try self.headSize(hiddenSize: hiddenSize, headCount: headCount)
        let intermediateSize = try settings.integer("intermediate_size", default: defaults.intermediateSize)
        let maxPositions = try size(
            "max_position_embeddings", default: defaults.maxPositions, limit: FormatLimits.maximumPositions)
        let normEpsilon = try settings.float("rms_norm_eps", default: defaults.normEpsilon)
        let tieSettings = root["tie_word_embeddings"] == nil ? settings : root
        let tiedEmbeddings = try tieSettings.bool("tie_word_embeddings", default: defaults.tiedEmbeddings)
        let shape = LayerShape(
            layerCount: layerCount, hiddenSize: hiddenSize, headSize: headSize, maxPositions: maxPositions)
        let layers = try layerKinds(shape)
        let rope = try self.rope(shape, layers: layers)
        let architecture = try self.architecture(shape, layers: layers, rope: rope)
        let isPlain = architecture == ModelArchitecture()
        do throws(FormatError) {
            let configuration = try ModelConfiguration(
                family: isPlain ? ModelConfiguration.plainFamily : family.modelType,
                vocabularySize: vocabularySize, hiddenSize: hiddenSize, layerCount: layerCount,
                headCount: headCount, keyValueHeadCount: keyValueHeadCount, headSize: headSize,
                intermediateSize: intermediateSize, maxPositions: maxPositions, normEpsilon: normEpsilon,
                ropeBase: rope.base, tiedEmbeddings: tiedEmbeddings, architecture: architecture)
            return (configuration, rope.kinds)
        } catch {
            throw located(error)
        }
    }

    /// A size that other members are checked against.
    private func size(_ key: String, default fallback: Int?, limit: Int) throws(PackError) -> Int {
        let value = try settings.integer(key, default: fallback)
        guard (1...limit).contains(value) else {
            throw settings.invalid(key, "is \(value), but must be in 1...\(limit)")
        }
        return value
    }

    /// Absent, the family's default counts; null means as many as heads.
    private func keyValueHeadCount(headCount: Int) throws(PackError) -> Int {
        let isNull = settings.object["num_key_value_heads"]?.isNull ?? false
        let fallback = isNull ? headCount : family.defaults.keyValueHeadCount ?? headCount
        return try settings.integer("num_key_value_heads", default: fallback)
    }

    private func headSize(hiddenSize: Int, headCount: Int) throws(PackError) -> Int {
        let size: Int
        if settings["head_dim"] != nil {
            size = try settings.integer("head_dim")
        } else if let fallback = family.defaults.headSize, settings.object["head_dim"] == nil {
            size = fallback
        } else {
            guard headCount > 0, hiddenSize % headCount == 0 else {
                throw settings.invalid(
                    "num_attention_heads", "is \(headCount), which does not divide hidden_size \(hiddenSize)")
            }
            size = hiddenSize / headCount
        }
        guard (1...FormatLimits.maximumHeadSize).contains(size) else {
            throw settings.invalid(
                "head_dim", "is \(size), but must be in 1...\(FormatLimits.maximumHeadSize)")
        }
        return size
    }

    /// The container's complaint in the words of config.json.
    private func located(_ error: FormatError) -> PackError {
        guard case .invalidField(let name, _, let reason) = error else { return .format(error) }
        return settings.invalid(ConfigurationMapping.keys[name] ?? name, reason)
    }

    private static let keys = [
        "vocabulary_size": "vocab_size", "layer_count": "num_hidden_layers",
        "head_count": "num_attention_heads", "key_value_head_count": "num_key_value_heads",
        "head_size": "head_dim", "max_positions": "max_position_embeddings",
        "norm_epsilon": "rms_norm_eps", "rope_base": "rope_theta",
    ]
}
