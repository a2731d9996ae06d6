// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Reads the `rope.*` metadata and the tensors of frequency factors.
struct GGUFRopeReader {
    private let settings: GGUFSettings
    private let weights: GGUFWeights
    private let shape: GGUFConfiguration.Shape
    private let rotarySize: Int
    private let base: Double

    /// One kind of rotary embeddings.
    struct Kind {
        let base: Double
        let frequencies: RopeFrequencies
        /// Unscaled, over whole heads.
        let isPlain: Bool
    }

    init(_ mapping: GGUFConfiguration, shape: GGUFConfiguration.Shape) throws(PackError) {
        settings = mapping.settings
        weights = mapping.weights
        self.shape = shape
        let name = "rope.dimension_count"
        rotarySize = try settings.integer(name, default: shape.headSize)
        guard rotarySize >= 2, rotarySize % 2 == 0, rotarySize <= shape.headSize else {
            throw settings.invalid(
                name, "is \(rotarySize), but must be an even number in 2...\(shape.headSize)")
        }
        guard mapping.family.isPartial || rotarySize == shape.headSize else {
            throw settings.unsupported(name, "rotary embeddings cover whole heads of \(shape.headSize)")
        }
        base = try GGUFRopeReader.base(settings, "rope.freq_base", default: 10_000)
    }

    private static func base(
        _ settings: GGUFSettings, _ name: String, default fallback: Double
    ) throws(PackError) -> Double {
        let base = try settings.number(name) ?? fallback
        guard base >= 1, base <= 1e12 else {
            throw settings.invalid(name, "is \(base), but must be in 1...1e12")
        }
        return base
    }

    /// False for models that do without rotary embeddings.
    var isRotated: Bool {
        get throws(PackError) {
            guard settings.architecture == "granite" else { return true }
            return try settings.bool("rope.scaling.finetuned", default: true)
        }
    }

    /// The rotary embeddings of layers with a window, where they differ from the others.
    func windowKind(_ rope: GGUFFamily.WindowRope) throws(PackError) -> Kind? {
        let own: Double
        switch rope {
        case .same: return nil
        case .unscaled: own = base
        case .base(let fallback):
            own = try GGUFRopeReader.base(settings, "rope.freq_base_swa", default: fallback)
        }
        let kind = kind(base: own, scaling: .none)
        return try kind.frequencies == mainKind().frequencies ? nil : kind
    }

    /// The rotary embeddings of all layers, or of those without a window.
    func mainKind() throws(PackError) -> Kind {
        let type = try settings.text("rope.scaling.type") ?? "linear"
        let factor = try self.factor()
        if let longrope = try self.longrope() {
            guard type == "longrope" || type == "linear" && factor == 1 || type == "none" else {
                throw settings.unsupported("rope.scaling.type", "there are short and long factors beside it")
            }
            return longrope
        }
        let divisors = try self.divisors(GGUFFamily.ropeName)
        switch type {
        case "none": return kind(scaling: divisors.map { .divided(by: $0) } ?? .none)
        case "linear":
            if let divisors { return kind(scaling: .divided(by: divisors.map { $0 * Float(factor) })) }
            return kind(scaling: factor == 1 ? .none : .linear(factor: factor))
        case "yarn":
            guard divisors == nil else {
                throw settings.unsupported("rope.scaling.type", "there is also a tensor of frequency factors")
            }
            return try yarn(factor: factor)
        case "longrope":
            throw PackError.missingTensors(
                path: settings.path, names: [GGUFFamily.shortRopeName, GGUFFamily.longRopeName])
        default:
            throw settings.unsupported("rope.scaling.type", "supported: none, linear, yarn, longrope")
        }
    }

    private func kind(base: Double? = nil, scaling: RopeFrequencies.Scaling, attentionFactor: Double = 1)
        -> Kind
    {
        let base = base ?? self.base
        let frequencies = RopeFrequencies(
            base: base, rotarySize: rotarySize, scaling: scaling, attentionFactor: attentionFactor)
        return Kind(
            base: base, frequencies: frequencies,
            isPlain: scaling == .none && rotarySize == shape.headSize && attentionFactor == 1)
    }

    /// By how much positions are stretched: `rope.scaling.factor`, or the older `rope.scale_linear`. 0 stands for 1.
    private func factor() throws(PackError) -> Double {
        for name in ["rope.scaling.factor", "rope.scale_linear"] {
            guard let value = try settings.number(name) else { continue }
            return value == 0 ? 1 : try settings.factor(name) ?? 1
        }
        return 1
    }

    private func originalPositions() throws(PackError) -> Int {
        let name = "rope.scaling.original_context_length"
        let positions = try settings.integer(name, default: shape.maxPositions)
        guard (1...FormatLimits.maximumPositions).contains(positions) else {
            throw settings.invalid(
                name, "is \(positions), but must be in 1...\(FormatLimits.maximumPositions)")
        }
        return positions
    }

    // MARK: YaRN

    private func yarn(factor: Double) throws(PackError) -> Kind {
        let extrapolation = "rope.scaling.yarn_ext_factor"
        guard try settings.number(extrapolation) ?? 1 == 1 else {
            throw settings.unsupported(extrapolation, "high frequencies are kept whole, by the factor 1")
        }
        var yarn = RopeFrequencies.Yarn(factor: factor, originalPositions: try originalPositions())
        if let fast = try settings.factor("rope.scaling.yarn_beta_fast") { yarn.betaFast = fast }
        if let slow = try settings.factor("rope.scaling.yarn_beta_slow") { yarn.betaSlow = slow }
        return kind(scaling: .yarn(yarn), attentionFactor: try yarnAttentionFactor(factor))
    }

    /// Converters write the whole factor under one of two names, where a checkpoint has one.
    private func yarnAttentionFactor(_ factor: Double) throws(PackError) -> Double {
        for name in ["rope.scaling.yarn_attn_factor", "rope.scaling.attn_factor"] {
            if let value = try settings.factor(name) { return value }
        }
        let all = try settings.number("rope.scaling.yarn_log_multiplier") ?? 0
        return RopeFrequencies.yarnAttentionFactor(factor, magnitude: all == 0 ? nil : (scale: 1, all: all))
    }

    // MARK: Frequency factors

    private func longrope() throws(PackError) -> Kind? {
        let short = try divisors(GGUFFamily.shortRopeName)
        let long = try divisors(GGUFFamily.longRopeName)
        guard short != nil || long != nil else { return nil }
        guard let short, let long else {
            let name = short == nil ? GGUFFamily.shortRopeName : GGUFFamily.longRopeName
            throw .missingTensors(path: settings.path, names: [name])
        }
        let positions = try originalPositions()
        let ratio = Double(shape.maxPositions) / Double(positions)
        let attentionFactor =
            try settings.factor("rope.scaling.attn_factor")
            ?? RopeFrequencies.longropeAttentionFactor(ratio, originalPositions: positions)
        return kind(
            scaling: .longrope(short: short, long: long, originalPositions: positions),
            attentionFactor: attentionFactor)
    }

    /// A tensor of one divisor for each frequency; nil when it is absent.
    private func divisors(_ name: String) throws(PackError) -> [Float]? {
        guard let tensor = weights.tensors[name] else { return nil }
        let values = try tensor.vector(limit: rotarySize / 2)
        guard values.count == rotarySize / 2 else {
            throw .wrongShape(
                path: tensor.path, tensor: name, found: tensor.tensor.shape, expected: [rotarySize / 2])
        }
        if let index = values.firstIndex(where: { !($0 >= 1e-6 && $0 <= 1e9) }) {
            throw .invalidField(
                path: tensor.path, field: "tensor '\(name)'[\(index)]",
                reason: "is \(values[index]), but must be in 1e-6...1e9")
        }
        return values
    }
}
