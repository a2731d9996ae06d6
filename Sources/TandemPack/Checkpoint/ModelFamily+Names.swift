// SPDX-License-Identifier: Apache-2.0

import TandemFormat

extension ModelFamily {
    /// The checkpoint's names of the tensors.
    struct TensorNames: Sendable {
        /// What stands before the names of the body and of the head; the first that fits counts.
        var prefixes: [(body: String, head: String)] = [("model.", "")]
        var embed = "embed_tokens.weight"
        var norm = "norm.weight"
        var head = "lm_head.weight"
        /// Names after `layers.{i}.`. Parts with the same name are fused, one above the other in file order.
        var parts = TensorNames.llama
        /// Beginnings of tensors that belong to other parts of the model.
        var ignoredPrefixes: [String] = []
        /// Endings of tensors that carry no weights.
        var ignoredSuffixes = ["rotary_emb.inv_freq"]

        static let llama: [LayerPart: String] = [
            .attentionNorm: "input_layernorm.weight",
            .query: "self_attn.q_proj.weight", .queryBias: "self_attn.q_proj.bias",
            .key: "self_attn.k_proj.weight", .keyBias: "self_attn.k_proj.bias",
            .value: "self_attn.v_proj.weight", .valueBias: "self_attn.v_proj.bias",
            .queryNorm: "self_attn.q_norm.weight", .keyNorm: "self_attn.k_norm.weight",
            .output: "self_attn.o_proj.weight", .outputBias: "self_attn.o_proj.bias",
            .mlpNorm: "post_attention_layernorm.weight",
            .gate: "mlp.gate_proj.weight", .gateBias: "mlp.gate_proj.bias",
            .up: "mlp.up_proj.weight", .upBias: "mlp.up_proj.bias",
            .down: "mlp.down_proj.weight", .downBias: "mlp.down_proj.bias",
        ]

        /// Llama's names with others in their place.
        static func llama(_ changes: [LayerPart: String]) -> [LayerPart: String] {
            llama.merging(changes) { $1 }
        }

        func isIgnored(_ name: String) -> Bool {
            ignoredSuffixes.contains { name.hasSuffix($0) } || ignoredPrefixes.contains { name.hasPrefix($0) }
        }
    }
}
