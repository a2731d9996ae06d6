// SPDX-License-Identifier: Apache-2.0

extension ModelFamily {
    /// Phi-3, Phi-3.5 and Phi-4 (mini): fused projections, LongRoPE over a part of the head.
    static let phi3 = ModelFamily(
        architectures: ["Phi3ForCausalLM"],
        modelType: "phi3",
        defaults: Defaults(maxPositions: 4096, normEpsilon: 1e-5),
        rope: RopeTraits(
            isPartial: true, originalPositions: 4096, typeNames: ["su": "longrope", "yarn": "longrope"],
            types: [.plain, .longrope]),
        windows: WindowTraits(layers: .all),
        rules: SettingRule.common.filter { $0.key != "auto_map" }
            + [.ownCode(allowing: ["modeling_phi3.Phi3ForCausalLM"])] + SettingRule.noBiases,
        names: TensorNames(
            parts: TensorNames.llama([
                .query: "self_attn.qkv_proj.weight", .key: "self_attn.qkv_proj.weight",
                .value: "self_attn.qkv_proj.weight",
                .gate: "mlp.gate_up_proj.weight", .up: "mlp.gate_up_proj.weight",
            ])))
}
