// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// Positions of a Mistral model whose configuration does not tell.
private let mistralPositions = 131_072

extension ModelFamily {
    /// Llama 1, 2 and the 3 series without RoPE scaling, and everything that uses its architecture.
    static let llama = ModelFamily(
        architectures: ["LlamaForCausalLM"],
        modelType: "llama",
        formatFamily: "llama",
        defaults: Defaults(maxPositions: 2048, normEpsilon: 1e-6, ropeBase: 10_000, tiedEmbeddings: false),
        rules: llamaRules,
        names: llamaNames)

    /// Mistral where no window limits attention: then it computes what Llama does.
    static let mistral = ModelFamily(
        architectures: ["MistralForCausalLM"],
        modelType: "mistral",
        formatFamily: "llama",
        defaults: Defaults(
            maxPositions: mistralPositions, normEpsilon: 1e-6, ropeBase: 10_000, tiedEmbeddings: false),
        rules: llamaRules + [.inactiveWindow],
        names: llamaNames)

    private static let llamaNames = TensorNames(
        embed: "model.embed_tokens.weight",
        norm: "model.norm.weight",
        head: "lm_head.weight",
        layerPrefix: "model.layers.",
        parts: [
            .attentionNorm: "input_layernorm.weight",
            .query: "self_attn.q_proj.weight",
            .key: "self_attn.k_proj.weight",
            .value: "self_attn.v_proj.weight",
            .output: "self_attn.o_proj.weight",
            .mlpNorm: "post_attention_layernorm.weight",
            .gate: "mlp.gate_proj.weight",
            .up: "mlp.up_proj.weight",
            .down: "mlp.down_proj.weight",
        ],
        ignoredSuffixes: ["rotary_emb.inv_freq"])

    private static let llamaRules: [SettingRule] = [
        .only("hidden_act", ["silu", "swish"], because: "the MLP is gated by SiLU only"),
        .only("attention_bias", [false], because: "attention has no biases"),
        .only("mlp_bias", [false], because: "the MLP has no biases"),
        .only("partial_rotary_factor", [1, 1.0], because: "rotary embeddings cover whole heads"),
        .absent(
            "quantization_config", because: "the weights are quantised already; give the original checkpoint"),
        .absent(
            "auto_map", because: "the checkpoint brings code of its own, which may compute something else"),
        .plainRope("rope_scaling"),
        .plainRope("rope_parameters"),
        .wholeSlices,
        .fullAttention,
    ]
}

extension SettingRule {
    /// No scaling of rotary embeddings: `{"rope_type": "default"}`, with the base beside it in newer checkpoints.
    fileprivate static func plainRope(_ key: String) -> SettingRule {
        SettingRule(key: key) { value, _ in
            guard let object = value.objectValue else { return "it must be an object" }
            for member in object.members {
                switch member.key {
                case "rope_type", "type":
                    guard member.value.isNull || member.value == "default" else {
                        return "rotary embeddings are used without scaling"
                    }
                case "rope_theta":
                    guard member.value.doubleValue != nil else { return "rope_theta must be a number" }
                case "partial_rotary_factor":
                    guard member.value.doubleValue == 1 else { return "rotary embeddings cover whole heads" }
                default:
                    return "'\(member.key)' is not known for rotary embeddings without scaling"
                }
            }
            return nil
        }
    }

    /// `pretraining_tp` only slices products that the engine computes whole, so any count means the same.
    fileprivate static let wholeSlices = SettingRule(key: "pretraining_tp") { value, _ in
        (value.intValue ?? 0) >= 1 ? nil : "it must be a positive integer"
    }

    fileprivate static let fullAttention = SettingRule(key: "layer_types") { value, _ in
        let isFull = value.arrayValue?.allSatisfy { $0 == "full_attention" } ?? false
        return isFull ? nil : "every layer attends to everything before it"
    }

    fileprivate static let inactiveWindow = SettingRule(key: "sliding_window") { value, configuration in
        guard let window = value.intValue else { return "it must be an integer or null" }
        let positions = configuration["max_position_embeddings"]?.intValue ?? mistralPositions
        return window >= positions
            ? nil : "attention has no window; it would matter beyond \(window) of \(positions) positions"
    }
}
