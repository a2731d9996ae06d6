// SPDX-License-Identifier: Apache-2.0

extension ModelFamily {
    /// Gemma 1: norms that multiply by 1 + w, scaled embeddings.
    static let gemma = ModelFamily(
        architectures: ["GemmaForCausalLM"],
        modelType: "gemma",
        defaults: Defaults(
            vocabularySize: 256_000, hiddenSize: 3072, layerCount: 28, headCount: 16, keyValueHeadCount: 16,
            headSize: 256, intermediateSize: 24_576, maxPositions: 8192, tiedEmbeddings: true),
        traits: Traits(
            normOffset: 1, activation: ("hidden_act", "gelu_pytorch_tanh"),
            activationNames: ["gelu": "gelu_pytorch_tanh"],
            attentionBias: .member("attention_bias"), outputBias: .member("attention_bias"),
            embeddingScale: .rootOfHiddenSize),
        rules: SettingRule.common + [SettingRule.noMLPBias])

    /// Gemma 2: norms around the sublayers, soft caps, every other layer with a window.
    static let gemma2 = ModelFamily(
        architectures: ["Gemma2ForCausalLM"],
        modelType: "gemma2",
        defaults: Defaults(
            vocabularySize: 256_000, hiddenSize: 2304, layerCount: 26, headCount: 8, keyValueHeadCount: 4,
            headSize: 256, intermediateSize: 9216, maxPositions: 8192, tiedEmbeddings: true),
        traits: gemmaTraits(attentionSoftcap: 50, logitSoftcap: 30),
        windows: WindowTraits(
            fallback: 4096, layers: .allButEvery(key: nil, fallback: 2), hasLayerTypes: true),
        rules: SettingRule.common + [SettingRule.noMLPBias],
        names: TensorNames(parts: gemmaParts))

    /// Gemma 3, text only: norms of queries and keys, another RoPE base in the layers with a window.
    static let gemma3 = ModelFamily(
        architectures: ["Gemma3ForCausalLM"],
        modelType: "gemma3",
        otherModelTypes: ["gemma3_text"],
        defaults: Defaults(
            vocabularySize: 262_208, hiddenSize: 2304, layerCount: 26, headCount: 8, keyValueHeadCount: 4,
            headSize: 256, intermediateSize: 9216, maxPositions: 131_072, tiedEmbeddings: true),
        traits: gemma3Traits,
        rope: RopeTraits(
            base: 1_000_000,
            windowLayers: WindowLayers(baseMember: "rope_local_base_freq", base: 10_000)),
        windows: WindowTraits(
            fallback: 4096, layers: .allButEvery(key: "sliding_window_pattern", fallback: 6),
            hasLayerTypes: true
        ),
        rules: SettingRule.common + [
            SettingRule.noMLPBias,
            .absent("attn_logit_softcapping", because: "the family's attention scores are not capped"),
        ],
        names: TensorNames(
            prefixes: [
                ("model.", ""), ("language_model.model.", "language_model."), ("model.language_model.", ""),
            ],
            parts: gemmaParts))

    /// Gemma 3 with its vision tower, which stays behind.
    static let gemma3Multimodal: ModelFamily = {
        var family = gemma3
        family.architectures = ["Gemma3ForConditionalGeneration"]
        family.textMember = "text_config"
        family.names.ignoredPrefixes = ["vision_tower.", "multi_modal_projector."].flatMap {
            [$0, "model.\($0)"]
        }
        return family
    }()

    private static func gemmaTraits(attentionSoftcap: Double, logitSoftcap: Double) -> Traits {
        Traits(
            normPlacement: .prePost, normOffset: 1, activation: ("hidden_activation", "gelu_pytorch_tanh"),
            attentionBias: .member("attention_bias"), outputBias: .member("attention_bias"),
            attentionScale: .inverseRoot(key: "query_pre_attn_scalar", fallback: 256),
            attentionSoftcap: ("attn_logit_softcapping", attentionSoftcap),
            logitSoftcap: ("final_logit_softcapping", logitSoftcap), embeddingScale: .rootOfHiddenSize)
    }

    private static let gemma3Traits: Traits = {
        var traits = gemmaTraits(attentionSoftcap: 0, logitSoftcap: 0)
        traits.queryKeyNorm = .head
        traits.attentionSoftcap = nil
        traits.logitSoftcap = ("final_logit_softcapping", nil)
        return traits
    }()

    private static let gemmaParts = TensorNames.llama([
        .attentionPostNorm: "post_attention_layernorm.weight",
        .mlpNorm: "pre_feedforward_layernorm.weight",
        .mlpPostNorm: "post_feedforward_layernorm.weight",
    ])
}
