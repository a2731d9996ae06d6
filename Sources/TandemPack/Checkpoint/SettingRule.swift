// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// A condition on one member of config.json.
struct SettingRule: Sendable {
    let key: String
    /// Why this value (never null) cannot be packed; nil when it can.
    let refusal: @Sendable (JSONValue) -> String?

    /// The member is absent, null or one of `values`.
    static func only(_ key: String, _ values: [JSONValue], because reason: String) -> SettingRule {
        SettingRule(key: key) { values.contains($0) ? nil : reason }
    }

    /// The member is absent or null.
    static func absent(_ key: String, because reason: String) -> SettingRule {
        SettingRule(key: key) { _ in reason }
    }

    func check(_ settings: JSONFile) throws(PackError) {
        guard let value = settings[key], let reason = refusal(value) else { return }
        throw settings.unsupported(key, reason)
    }

    /// Rules of all families.
    static let common: [SettingRule] = [
        .absent(
            "quantization_config", because: "the weights are quantised already; give the original checkpoint"),
        .absent(
            "compression_config", because: "the weights are quantised already; give the original checkpoint"),
        .ownCode(allowing: []),
        .wholeSlices,
        .only("rope_interleaved", [false], because: "rotary embeddings turn the two halves of a head"),
        .only("lm_head_bias", [false], because: "the output head has no bias"),
        .only("add_cross_attention", [false], because: "there is no cross attention"),
        .only("is_encoder_decoder", [false], because: "only decoders can be packed"),
        .only("use_bidirectional_attention", [false], because: "attention looks back only"),
        .only("num_experts", [0, 1], because: "mixtures of experts cannot be packed"),
        .only("num_local_experts", [0, 1], because: "mixtures of experts cannot be packed"),
    ]

    /// Classes that come with the checkpoint may compute something else, unless they are the ones that `classes` names.
    static func ownCode(allowing classes: [String]) -> SettingRule {
        SettingRule(key: "auto_map") { value in
            guard let members = value.objectValue?.members else { return "it must be an object" }
            for member in members where member.key.hasPrefix("AutoModel") {
                let name = member.value.stringValue ?? ""
                let last = name.split(separator: "--").last.map(String.init) ?? name
                if !classes.contains(last) {
                    return "the checkpoint brings code of its own, which may compute something else"
                }
            }
            return nil
        }
    }

    /// `pretraining_tp` only slices products that the engine computes whole, so any count means the same.
    private static let wholeSlices = SettingRule(key: "pretraining_tp") { value in
        (value.intValue ?? 0) >= 1 ? nil : "it must be a positive integer"
    }
}

extension JSONFile {
    /// The refusal of a member's value.
    func unsupported(_ key: String, _ reason: String) -> PackError {
        let text = (self[key] ?? .null).serialized()
        return .unsupportedSetting(
            path: path, key: prefix + key, value: text.count > 80 ? "\(text.prefix(80))…" : text,
            reason: reason)
    }
}
