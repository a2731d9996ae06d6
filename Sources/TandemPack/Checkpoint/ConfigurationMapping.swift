// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// Turns a Hugging Face config.json into the container's configuration.
struct ConfigurationMapping {
    let settings: JSONFile
    let family: ModelFamily

    func configuration() throws(PackError) -> ModelConfiguration {
        let vocabularySize = try settings.integer("vocab_size")
        let hiddenSize = try settings.integer("hidden_size")
        let layerCount = try settings.integer("num_hidden_layers")
        let headCount = try settings.integer("num_attention_heads")
        let keyValueHeadCount = try settings.integer("num_key_value_heads", default: headCount)
        let headSize = try self.headSize(hiddenSize: hiddenSize, headCount: headCount)
        let intermediateSize = try settings.integer("intermediate_size")
        let maxPositions = try settings.integer(
            "max_position_embeddings", default: family.defaults.maxPositions)
        let normEpsilon = try settings.float("rms_norm_eps", default: family.defaults.normEpsilon)
        let ropeBase = try self.ropeBase()
        let tiedEmbeddings = try settings.bool("tie_word_embeddings", default: family.defaults.tiedEmbeddings)
        do throws(FormatError) {
            return try ModelConfiguration(
                family: family.formatFamily, vocabularySize: vocabularySize, hiddenSize: hiddenSize,
                layerCount: layerCount, headCount: headCount, keyValueHeadCount: keyValueHeadCount,
                headSize: headSize, intermediateSize: intermediateSize, maxPositions: maxPositions,
                normEpsilon: normEpsilon, ropeBase: ropeBase, tiedEmbeddings: tiedEmbeddings)
        } catch {
            throw located(error)
        }
    }

    private func headSize(hiddenSize: Int, headCount: Int) throws(PackError) -> Int {
        if settings["head_dim"] != nil { return try settings.integer("head_dim") }
        guard headCount > 0, hiddenSize % headCount == 0 else {
            throw settings.invalid(
                "num_attention_heads", "is \(headCount), which does not divide hidden_size \(hiddenSize)")
        }
        return hiddenSize / headCount
    }

    /// `rope_parameters.rope_theta` of newer checkpoints wins over the older `rope_theta`.
    private func ropeBase() throws(PackError) -> Float {
        for key in ["rope_parameters", "rope_scaling"] {
            if let value = settings[key]?["rope_theta"]?.doubleValue { return Float(value) }
        }
        return try settings.float("rope_theta", default: family.defaults.ropeBase)
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
