// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// One kind of rotary embeddings as config.json describes it.
struct RopeSettings {
    let base: Double
    let frequencies: RopeFrequencies
    /// Unscaled, over whole heads.
    let isPlain: Bool

    /// - Parameter base: RoPE base where the object has none.
    init(
        _ reader: RopeReader, shape: ConfigurationMapping.LayerShape, traits: ModelFamily.RopeTraits,
        base: Double
    ) throws(PackError) {
        let type = try reader.type(traits)
        try reader.checkMembers(of: type)
        let base = try reader.number("rope_theta") ?? base
        guard base >= 1, base <= 1e12 else {
            throw reader.settings.invalid(
                reader.object["rope_theta"] == nil ? "rope_theta" : reader.name("rope_theta"),
                "is \(base), but must be in 1...1e12")
        }
        let size = try reader.rotarySize(headSize: shape.headSize, traits: traits)
        let original = try reader.originalPositions(traits, maxPositions: shape.maxPositions)
        var attentionFactor = 1.0
        let scaling: RopeFrequencies.Scaling
        switch type {
        case .plain: scaling = .none
        case .linear: scaling = .linear(factor: try reader.positive("factor"))
        case .llama3:
            let (low, high) = (
                try reader.positive("low_freq_factor"), try reader.positive("high_freq_factor")
            )
            guard low != high else {
                throw reader.invalid("high_freq_factor", "is \(high), the same as low_freq_factor")
            }
            scaling = .llama3(
                factor: try reader.positive("factor"), lowFactor: low, highFactor: high,
                originalPositions: original)
        case .yarn:
            let yarn = try reader.yarn(maxPositions: shape.maxPositions, originalPositions: original)
            if !yarn.truncates, traits.windowLayers != nil {
                throw reader.unsupported("truncate", "programs overlook it where layers turn in two ways")
            }
            attentionFactor = try reader.yarnAttentionFactor(yarn.factor)
            scaling = .yarn(yarn)
        case .longrope:
            let ratio = Double(shape.maxPositions) / Double(original)
            let factor = try reader.optionalPositive("factor") ?? ratio
            attentionFactor =
                try reader.optionalPositive("attention_factor")
                ?? RopeFrequencies.longropeAttentionFactor(factor, originalPositions: original)
            scaling = .longrope(
                short: try reader.factors("short_factor", count: size / 2),
                long: try reader.factors("long_factor", count: size / 2), originalPositions: original)
        }
        self.base = base
        isPlain = type == .plain && size == shape.headSize
        frequencies = RopeFrequencies(
            base: base, rotarySize: size, scaling: scaling, attentionFactor: attentionFactor)
        guard let bad = frequencies.firstUnusable else { return }
        throw reader.settings.invalid(reader.prefix, "gives the frequency \(bad), which cannot be used")
    }
}

extension RopeFrequencies {
    /// A frequency that is not positive and finite.
    fileprivate var firstUnusable: Float? {
        (frequencies + (long?.frequencies ?? [])).first { !($0 > 0 && $0.isFinite) }
    }
}

/// Typed access to the members of `rope_scaling` or `rope_parameters`.
struct RopeReader {
    let settings: JSONFile
    /// The object's path in config.json.
    let prefix: String
    let object: JSONObject

    func name(_ key: String) -> String { "\(prefix).\(key)" }

    func invalid(_ key: String, _ reason: String) -> PackError { settings.invalid(name(key), reason) }

    private func present(_ key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    func unsupported(_ key: String, _ reason: String) -> PackError {
        .unsupportedSetting(
            path: settings.path, key: settings.prefix + name(key), value: (object[key] ?? .null).serialized(),
            reason: reason)
    }

    /// `rope_type`, or `type` of older checkpoints.
    func type(_ traits: ModelFamily.RopeTraits) throws(PackError) -> ModelFamily.RopeType {
        let isOld = present("rope_type") == nil && present("type") != nil
        if isOld, traits.windowLayers != nil, prefix == "rope_scaling", present("type") != "default" {
            throw unsupported("type", "programs read it in two ways; write rope_type if it is meant")
        }
        let key = isOld ? "type" : "rope_type"
        guard let value = present(key) else { return .plain }
        guard let name = value.stringValue else { throw invalid(key, "is not a string") }
        guard let type = ModelFamily.RopeType(rawValue: traits.typeNames[name] ?? name),
            traits.types.contains(type)
        else {
            let known = traits.types.map(\.rawValue) + traits.typeNames.keys.sorted()
            throw unsupported(
                key, "rotary embeddings of the family are one of \(known.joined(separator: ", "))")
        }
        return type
    }

    /// A member that the type has no use for may change what it computes elsewhere.
    func checkMembers(of type: ModelFamily.RopeType) throws(PackError) {
        let own: [String] =
            switch type {
            case .plain: []
            case .linear: ["factor"]
            case .llama3: ["factor", "low_freq_factor", "high_freq_factor"]
            case .yarn:
                [
                    "factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim",
                    "truncate", "finetuned",
                ]
            case .longrope: ["factor", "attention_factor", "short_factor", "long_factor"]
            }
        let all =
            ["rope_type", "type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings"]
            + own
        for member in object.members where !member.value.isNull && !all.contains(member.key) {
            throw unsupported(member.key, "it is not known for rotary embeddings of type \(type.rawValue)")
        }
    }

    func number(_ key: String) throws(PackError) -> Double? {
        guard let value = present(key) else { return nil }
        guard let number = value.doubleValue, number.isFinite else { throw invalid(key, "is not a number") }
        return number
    }

    func optionalPositive(_ key: String) throws(PackError) -> Double? {
        guard let value = try number(key) else { return nil }
        guard value > 0, value <= 1e9 else { throw invalid(key, "is \(value), but must be positive") }
        return value
    }

    func positive(_ key: String) throws(PackError) -> Double {
        guard let value = try optionalPositive(key) else { throw invalid(key, "is missing") }
        return value
    }

    /// Divisors, one for each frequency.
    func factors(_ key: String, count: Int) throws(PackError) -> [Float] {
        guard let values = present(key)?.arrayValue, values.count == count else {
            throw invalid(key, "must be an array of \(count) numbers")
        }
        var result: [Float] = []
        for (index, value) in values.enumerated() {
            guard let number = value.doubleValue, number > 0, number <= 1e9 else {
                throw invalid("\(key)[\(index)]", "is not a positive number")
            }
            result.append(Float(number))
        }
        return result
    }

    /// The part of a head that is turned.
    func rotarySize(headSize: Int, traits: ModelFamily.RopeTraits) throws(PackError) -> Int {
        let outer = settings["partial_rotary_factor"]
        let value = present("partial_rotary_factor") ?? outer ?? .integer(1)
        guard let part = value.doubleValue, part > 0, part <= 1 else {
            throw settings.invalid("partial_rotary_factor", "is \(value.serialized()), but must be in 0...1")
        }
        guard traits.isPartial || part == 1 else {
            let reason = "rotary embeddings of the family cover whole heads"
            if present("partial_rotary_factor") != nil { throw unsupported("partial_rotary_factor", reason) }
            throw settings.unsupported("partial_rotary_factor", reason)
        }
        let size = Int(Double(headSize) * part)
        guard size >= 2, size % 2 == 0 else {
            throw settings.invalid(
                part == 1 ? "head_dim" : "partial_rotary_factor",
                "makes rotary embeddings turn \(size) elements of a head, which must be an even number")
        }
        return size
    }

    /// What config.json has outside the object wins over what it has inside, unless there are several objects.
    func originalPositions(_ traits: ModelFamily.RopeTraits, maxPositions: Int) throws(PackError) -> Int {
        let key = "original_max_position_embeddings"
        var value = maxPositions
        if settings[key] != nil, traits.windowLayers == nil {
            value = try settings.integer(key)
        } else if let fallback = traits.originalPositions {
            value = fallback
        } else if let inner = present(key) {
            guard let number = inner.intValue else { throw invalid(key, "is not an integer") }
            value = number
        }
        guard (1...FormatLimits.maximumPositions).contains(value) else {
            throw settings.invalid(key, "is \(value), but must be in 1...\(FormatLimits.maximumPositions)")
        }
        return value
    }
}

extension RopeReader {
    func yarn(maxPositions: Int, originalPositions: Int) throws(PackError) -> RopeFrequencies.Yarn {
        guard object["factor"] != nil else { throw invalid("factor", "is missing") }
        let factor = try optionalPositive("factor") ?? Double(maxPositions) / Double(originalPositions)
        var yarn = RopeFrequencies.Yarn(factor: factor, originalPositions: originalPositions)
        if let fast = try number("beta_fast"), fast != 0 { yarn.betaFast = try positive("beta_fast") }
        if let slow = try number("beta_slow"), slow != 0 { yarn.betaSlow = try positive("beta_slow") }
        if let value = present("truncate") {
            guard let truncates = value.boolValue else { throw invalid("truncate", "is not true or false") }
            yarn.truncates = truncates
        }
        return yarn
    }

    func yarnAttentionFactor(_ factor: Double) throws(PackError) -> Double {
        if let value = try optionalPositive("attention_factor") { return value }
        let (scale, all) = (try number("mscale") ?? 0, try number("mscale_all_dim") ?? 0)
        guard scale != 0, all != 0 else { return RopeFrequencies.yarnAttentionFactor(factor) }
        return RopeFrequencies.yarnAttentionFactor(factor, magnitude: (scale, all))
    }
}
