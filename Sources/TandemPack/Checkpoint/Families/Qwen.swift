// SPDX-License-Identifier: Apache-2.0

extension ModelFamily {
    /// Qwen 2 and 2.5: biases of queries, keys and values.
    static let qwen2 = ModelFamily(
        architectures: ["Qwen2ForCausalLM"],
        modelType: "qwen2",
        defaults: Defaults(keyValueHeadCount: 32, maxPositions: 32_768),
        traits: Traits(attentionBias: .always),
        windows: qwenWindows,
        rules: SettingRule.common + [SettingRule.noMLPBias])

    /// Qwen 3: norms of queries and keys, head by head.
    static let qwen3 = ModelFamily(
        architectures: ["Qwen3ForCausalLM"],
        modelType: "qwen3",
        defaults: Defaults(keyValueHeadCount: 32, headSize: 128, maxPositions: 32_768),
        traits: Traits(
            queryKeyNorm: .head,
            attentionBias: .member("attention_bias"), outputBias: .member("attention_bias")),
        windows: qwenWindows,
        rules: SettingRule.common + [SettingRule.noMLPBias])

    private static let qwenWindows = WindowTraits(
        flag: "use_sliding_window", fallback: 4096, layers: .from(key: "max_window_layers", fallback: 28),
        hasLayerTypes: true)
}
