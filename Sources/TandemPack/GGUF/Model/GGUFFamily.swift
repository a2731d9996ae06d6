// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// What distinguishes one architecture of GGUF files: data that the reader interprets.
///
/// Tensors have the same names in all of them. Norm weights are stored ready for use, so that those of Gemma contain
/// the 1 that its checkpoints leave out. Biases are used where the file has them.
struct GGUFFamily: Sendable {
    /// Value of `general.architecture`; also the family's name in the container.
    let name: String
    var normPlacement = ModelArchitecture.NormPlacement.pre
    var queryKeyNorm = ModelArchitecture.QueryKeyNorm.none
    var activation = ModelArchitecture.Activation.silu
    /// Queries and keys are stored in llama's own order, in which rotary embeddings turn neighbours.
    var isInterleaved = false
    /// Queries, keys and values always have biases.
    var needsAttentionBias = false
    /// Rotary embeddings may cover a part of the head.
    var isPartial = false
    /// Every so many layers, the last of them, queries and keys are not turned.
    var unrotatedPeriod: Int?
    var windows = Windows.none
    /// Layers with a window have rotary embeddings without scaling, from a base of their own or the model's.
    var windowRope = WindowRope.same
    /// The embeddings are multiplied by the root of their size.
    var scalesEmbeddings = false
    /// Models of so many layers scale attention by the width per head instead of the head size.
    var widthScaledLayers: Int?
    /// What the soft caps are where the metadata does not tell; nil where there are none.
    var attentionSoftcap: Double?
    var logitSoftcap: Double?
    /// A cap of the logits in the metadata counts.
    var allowsLogitSoftcap = false
    /// The metadata must have scales of embeddings, attention, residual and logits.
    var hasScales = false

    /// Which layers see only so many positions.
    enum Windows: Sendable {
        /// None; a window in the metadata must be without effect.
        case none
        /// All, when the metadata has a window.
        case all
        /// All but every so many, when there is a window: in the metadata, or of `fallback` positions.
        case allButEvery(Int, fallback: Int?)
    }

    enum WindowRope: Sendable {
        case same
        /// From the model's base.
        case unscaled
        /// From the base in the metadata, or this one.
        case base(Double)
    }

    /// The architectures that can be packed.
    static let all: [GGUFFamily] = [
        // Also Mistral and SmolLM 2.
        GGUFFamily(name: "llama", isInterleaved: true, windows: .all),
        GGUFFamily(name: "qwen2", needsAttentionBias: true),
        GGUFFamily(name: "qwen3", queryKeyNorm: .head),
        GGUFFamily(name: "gemma", activation: .geluTanh, scalesEmbeddings: true),
        GGUFFamily(
            name: "gemma2", normPlacement: .prePost, activation: .geluTanh,
            windows: .allButEvery(2, fallback: 4096), scalesEmbeddings: true, widthScaledLayers: 46,
            attentionSoftcap: 50, logitSoftcap: 30),
        GGUFFamily(
            name: "gemma3", normPlacement: .prePost, queryKeyNorm: .head, activation: .geluTanh,
            windows: .allButEvery(6, fallback: nil), windowRope: .base(10_000), scalesEmbeddings: true,
            widthScaledLayers: 62, allowsLogitSoftcap: true),
        GGUFFamily(name: "phi3", isPartial: true, windows: .all),
        GGUFFamily(name: "smollm3", isInterleaved: true, unrotatedPeriod: 4),
        // Also OLMo 3, whose windows OLMo 2 lacks.
        GGUFFamily(
            name: "olmo2", normPlacement: .post, queryKeyNorm: .row, windows: .allButEvery(4, fallback: nil),
            windowRope: .unscaled),
        GGUFFamily(name: "granite", isInterleaved: true, hasScales: true),
    ]

    /// The family of a file.
    static func named(_ settings: GGUFSettings) throws(PackError) -> GGUFFamily {
        if let type = try GGUFSettings.text(settings.file, "general.type"), type != "model" {
            throw .unsupportedSetting(
                path: settings.path, key: "general.type", value: JSONText.quote(type),
                reason: "only whole models can be packed")
        }
        guard let family = all.first(where: { $0.name == settings.architecture }) else {
            throw .unsupportedArchitecture(
                path: settings.path, name: settings.architecture, supported: all.map(\.name))
        }
        return family
    }

    // MARK: Names

    static let embedName = "token_embd.weight"
    static let normName = "output_norm.weight"
    static let headName = "output.weight"
    /// Divisors of the frequencies of rotary embeddings.
    static let ropeName = "rope_freqs.weight"
    static let shortRopeName = "rope_factors_short.weight"
    static let longRopeName = "rope_factors_long.weight"

    static func layerName(_ layer: Int, _ part: LayerPart) -> String {
        "blk.\(layer).\(partNames[part] ?? part.rawValue)"
    }

    /// The matrix, or the bias, of queries, keys and values in one.
    static func fusedName(_ layer: Int, isBias: Bool) -> String {
        "blk.\(layer).attn_qkv.\(isBias ? "bias" : "weight")"
    }

    private static let partNames: [LayerPart: String] = [
        .attentionNorm: "attn_norm.weight",
        .query: "attn_q.weight", .queryBias: "attn_q.bias", .queryNorm: "attn_q_norm.weight",
        .key: "attn_k.weight", .keyBias: "attn_k.bias", .keyNorm: "attn_k_norm.weight",
        .value: "attn_v.weight", .valueBias: "attn_v.bias",
        .output: "attn_output.weight", .outputBias: "attn_output.bias",
        .attentionPostNorm: "post_attention_norm.weight",
        .mlpNorm: "ffn_norm.weight",
        .gate: "ffn_gate.weight", .gateBias: "ffn_gate.bias",
        .up: "ffn_up.weight", .upBias: "ffn_up.bias",
        .down: "ffn_down.weight", .downBias: "ffn_down.bias",
        .mlpPostNorm: "post_ffw_norm.weight",
    ]
}

/// A setting that changes what a model computes in a way this version does not know.
struct GGUFRule: Sendable {
    let name: String
    let reason: String
    /// Whether the value, when present, has no effect.
    let isNeutral: @Sendable (GGUFValue) -> Bool

    func check(_ settings: GGUFSettings) throws(PackError) {
        guard let value = settings[name], !isNeutral(value) else { return }
        throw settings.unsupported(name, reason)
    }

    private static func zero(_ name: String, _ reason: String) -> GGUFRule {
        GGUFRule(name: name, reason: reason) { $0.doubleValue == 0 || $0.boolValue == false }
    }

    /// For all families.
    static let common: [GGUFRule] = [
        zero("expert_count", "mixtures of experts cannot be packed"),
        zero("nextn_predict_layers", "layers that predict several tokens cannot be packed"),
        zero("use_parallel_residual", "attention and MLP follow each other"),
        zero("attention.max_alibi_bias", "positions are expressed by rotary embeddings"),
        zero("attention.clamp_kqv", "queries, keys and values are not clamped"),
        zero("attention.temperature_length", "attention has no temperature"),
        zero("attention.temperature_scale", "attention has no temperature"),
        zero("attention.shared_kv_layers", "every layer has its own keys and values"),
        GGUFRule(name: "attention.causal", reason: "only causal models generate text") {
            $0.boolValue == true
        },
        GGUFRule(name: "rope.dimension_sections", reason: "positions are single numbers") {
            $0.arrayValue?.integers?.allSatisfy { $0 == 0 } ?? false
        },
    ]

    /// For families without scales of their own.
    static let unscaled: [GGUFRule] = ["embedding_scale", "residual_scale", "logit_scale"].map { name in
        GGUFRule(name: name, reason: "the architecture has no such factor") { $0.doubleValue == 1 }
    }
}
