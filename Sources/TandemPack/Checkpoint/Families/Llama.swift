// SPDX-License-Identifier: Apache-2.0

extension ModelFamily {
    /// Llama 1, 2 and 3, and everything that uses its architecture (SmolLM2, TinyLlama, …).
    static let llama = ModelFamily(
        architectures: ["LlamaForCausalLM"],
        modelType: "llama",
        defaults: Defaults(maxPositions: 2048),
        traits: Traits(
            attentionBias: .member("attention_bias"), outputBias: .member("attention_bias"),
            mlpBias: .member("mlp_bias")))

    /// Mistral: a window in all layers, or in none.
    static let mistral = ModelFamily(
        architectures: ["MistralForCausalLM"],
        modelType: "mistral",
        defaults: Defaults(keyValueHeadCount: 8, maxPositions: 131_072),
        windows: WindowTraits(fallback: 4096, layers: .all),
        rules: SettingRule.common + SettingRule.noBiases)

    /// SmolLM3: every fourth layer without RoPE.
    static let smollm3 = ModelFamily(
        architectures: ["SmolLM3ForCausalLM"],
        modelType: "smollm3",
        defaults: Defaults(keyValueHeadCount: 4, maxPositions: 32_768, tiedEmbeddings: true),
        traits: Traits(
            attentionBias: .member("attention_bias"), outputBias: .member("attention_bias"),
            mlpBias: .member("mlp_bias")),
        rope: RopeTraits(
            base: 2_000_000,
            unrotated: UnrotatedLayers(list: "no_rope_layers", interval: ("no_rope_layer_interval", 4))),
        windows: WindowTraits(flag: "use_sliding_window", layers: .unrotated, hasLayerTypes: true))

    /// Granite: constant factors in four places.
    static let granite = ModelFamily(
        architectures: ["GraniteForCausalLM"],
        modelType: "granite",
        defaults: Defaults(maxPositions: 2048),
        traits: Traits(
            attentionBias: .member("attention_bias"), outputBias: .member("attention_bias"),
            mlpBias: .member("mlp_bias"),
            attentionScale: .member(key: "attention_multiplier", fallback: 1),
            embeddingScale: .member("embedding_multiplier"),
            residualScale: "residual_multiplier", logitDivisor: "logits_scaling"))
}

extension SettingRule {
    static let noMLPBias = SettingRule.only("mlp_bias", [false], because: "the family's MLP has no biases")
    static let noBiases = [
        SettingRule.only("attention_bias", [false], because: "the family's attention has no biases"),
        noMLPBias,
    ]
}
