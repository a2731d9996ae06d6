// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// What distinguishes one family of Hugging Face checkpoints: data that the reader interprets.
///
/// A family lists the architectures it covers, where the sizes stand in config.json and what they default to, which
/// settings must have which values for the engine to compute the same text, and how the tensors are called.
struct ModelFamily: Sendable {
    /// Values of `architectures[0]`.
    let architectures: [String]
    /// Value of `model_type`, checked when present.
    let modelType: String
    /// The family's name in the container.
    let formatFamily: String
    let defaults: Defaults
    let rules: [SettingRule]
    let names: TensorNames

    /// What config.json may leave out.
    struct Defaults: Sendable {
        let maxPositions: Int
        let normEpsilon: Double
        let ropeBase: Double
        let tiedEmbeddings: Bool
    }

    /// The checkpoint's names of the tensors.
    struct TensorNames: Sendable {
        let embed: String
        let norm: String
        let head: String
        /// What stands before and after the layer number.
        let layerPrefix: String
        let parts: [LayerPart: String]
        /// Endings of tensors that carry no weights.
        let ignoredSuffixes: [String]

        func layer(_ index: Int, _ part: LayerPart) -> String {
            "\(layerPrefix)\(index).\(parts[part] ?? part.rawValue)"
        }

        func isIgnored(_ name: String) -> Bool { ignoredSuffixes.contains { name.hasSuffix($0) } }
    }

    /// The families that can be packed.
    static let all: [ModelFamily] = [.llama, .mistral]

    static var supportedArchitectures: [String] { all.flatMap(\.architectures) }
}

/// A condition on one member of config.json.
struct SettingRule: Sendable {
    let key: String
    /// Why this value (never null) cannot be packed; nil when it can. The second argument is the whole configuration.
    let refusal: @Sendable (JSONValue, JSONFile) -> String?

    /// The member is absent, null or one of `values`.
    static func only(_ key: String, _ values: [JSONValue], because reason: String) -> SettingRule {
        SettingRule(key: key) { value, _ in values.contains(value) ? nil : reason }
    }

    /// The member is absent or null.
    static func absent(_ key: String, because reason: String) -> SettingRule {
        SettingRule(key: key) { _, _ in reason }
    }

    func check(_ configuration: JSONFile) throws(PackError) {
        guard let value = configuration[key], let reason = refusal(value, configuration) else { return }
        let text = value.serialized()
        throw .unsupportedSetting(
            path: configuration.path, key: key, value: text.count > 80 ? "\(text.prefix(80))…" : text,
            reason: reason)
    }
}
