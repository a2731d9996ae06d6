// SPDX-License-Identifier: Apache-2.0

extension ModelFamily {
    /// OLMo 2: norms after the sublayers, and of whole rows of queries and keys.
    static let olmo2 = ModelFamily(
        architectures: ["Olmo2ForCausalLM"],
        modelType: "olmo2",
        defaults: Defaults(maxPositions: 2048, normEpsilon: 1e-5),
        traits: olmoTraits,
        rules: SettingRule.common + [SettingRule.noMLPBias],
        names: olmoNames)

    /// OLMo 3: three of four layers with a window; only the others' RoPE is scaled.
    static let olmo3 = ModelFamily(
        architectures: ["Olmo3ForCausalLM"],
        modelType: "olmo3",
        defaults: Defaults(maxPositions: 2048, normEpsilon: 1e-5),
        traits: olmoTraits,
        rope: RopeTraits(base: 500_000, windowLayers: WindowLayers(base: 500_000)),
        windows: WindowTraits(
            fallback: 4096, layers: .allButEvery(key: nil, fallback: 4), hasLayerTypes: true),
        rules: SettingRule.common + [SettingRule.noMLPBias],
        names: olmoNames)

    private static let olmoTraits = Traits(
        normPlacement: .post, queryKeyNorm: .row,
        attentionBias: .member("attention_bias"), outputBias: .member("attention_bias"))

    private static let olmoNames = TensorNames(
        parts: TensorNames.llama([
            .attentionPostNorm: "post_attention_layernorm.weight",
            .mlpPostNorm: "post_feedforward_layernorm.weight",
        ]))
}
