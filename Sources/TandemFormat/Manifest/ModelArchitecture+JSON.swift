// SPDX-License-Identifier: Apache-2.0

import TandemJSON

extension ModelArchitecture {
    /// Reads the optional members of a model's object.
    init(reader: ManifestReader) throws(FormatError) {
        normPlacement = try reader.choice("norm_placement", default: .pre)
        queryKeyNorm = try reader.choice("query_key_norm", default: .none)
        activation = try reader.choice("activation", default: .silu)
        attentionBias = try reader.bool("attention_bias", default: false)
        outputBias = try reader.bool("output_bias", default: false)
        mlpBias = try reader.bool("mlp_bias", default: false)
        attentionScale = try reader.optionalFloat("attention_scale")
        attentionSoftcap = try reader.optionalFloat("attention_softcap")
        logitSoftcap = try reader.optionalFloat("logit_softcap")
        embeddingScale = try reader.optionalFloat("embedding_scale") ?? 1
        residualScale = try reader.optionalFloat("residual_scale") ?? 1
        logitScale = try reader.optionalFloat("logit_scale") ?? 1
        for rope in try reader.objects("ropes", limit: FormatLimits.maximumRopes) {
            try ropes.append(
                Rope(
                    rotarySize: rope.integer("rotary_size"),
                    attentionFactor: rope.optionalFloat("attention_factor") ?? 1,
                    longAbove: rope.optionalInteger("long_above")))
        }
        layerRopes = try reader.optionalIntegers("layer_ropes", limit: FormatLimits.maximumLayerCount)
        if reader.has("layer_windows") {
            layerWindows = try reader.integers("layer_windows", limit: FormatLimits.maximumLayerCount)
        }
    }

    /// The members that differ from the defaults, in the specification's order.
    var members: [(key: String, value: JSONValue)] {
        let plain = ModelArchitecture()
        var list: [(key: String, value: JSONValue)] = []
        func add<T: Equatable>(
            _ key: String, _ path: KeyPath<ModelArchitecture, T>, _ json: (T) -> JSONValue
        ) {
            if self[keyPath: path] != plain[keyPath: path] { list.append((key, json(self[keyPath: path]))) }
        }
        func addFactor(_ key: String, _ value: Float?, default fallback: Float? = 1) {
            if let value, value != fallback { list.append((key, .number(shortestDouble(value)))) }
        }
        add("norm_placement", \.normPlacement) { .string($0.rawValue) }
        add("query_key_norm", \.queryKeyNorm) { .string($0.rawValue) }
        add("activation", \.activation) { .string($0.rawValue) }
        add("attention_bias", \.attentionBias) { .bool($0) }
        add("output_bias", \.outputBias) { .bool($0) }
        add("mlp_bias", \.mlpBias) { .bool($0) }
        addFactor("attention_scale", attentionScale, default: nil)
        addFactor("attention_softcap", attentionSoftcap, default: nil)
        addFactor("logit_softcap", logitSoftcap, default: nil)
        addFactor("embedding_scale", embeddingScale)
        addFactor("residual_scale", residualScale)
        addFactor("logit_scale", logitScale)
        add("ropes", \.ropes) { .array($0.map(\.json)) }
        add("layer_ropes", \.layerRopes) { .array($0.map { $0.map { .integer(Int64($0)) } ?? .null }) }
        add("layer_windows", \.layerWindows) { .array($0.map { .integer(Int64($0)) }) }
        return list
    }
}

extension ModelArchitecture.Rope {
    fileprivate var json: JSONValue {
        var object = JSONObject()
        object["rotary_size"] = .integer(Int64(rotarySize))
        if attentionFactor != 1 { object["attention_factor"] = .number(shortestDouble(attentionFactor)) }
        if let longAbove { object["long_above"] = .integer(Int64(longAbove)) }
        return .object(object)
    }
}

extension ModelConfiguration {
    /// The first member that a reader of version 1.0 would overlook, and its value.
    var architectureMember: (name: String, reason: String)? {
        if family != ModelConfiguration.plainFamily { return ("family", "'\(family)' is not 'llama'") }
        guard let member = architecture.members.first else { return nil }
        return (member.key, member.value.serialized().prefix(80) + " is not the default")
    }
}
