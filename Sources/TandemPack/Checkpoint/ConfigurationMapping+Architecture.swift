// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

extension ConfigurationMapping {
    /// The family's traits with the values that config.json has for them.
    func architecture(
        _ shape: LayerShape, layers: LayerKinds, rope: Rope
    ) throws(PackError) -> ModelArchitecture {
        let traits = family.traits
        var result = ModelArchitecture()
        result.normPlacement = traits.normPlacement
        result.queryKeyNorm = traits.queryKeyNorm
        result.activation = try activation()
        result.attentionBias = try flag(traits.attentionBias)
        result.outputBias = try flag(traits.outputBias)
        result.mlpBias = try flag(traits.mlpBias)
        result.attentionScale = try attentionScale()
        result.attentionSoftcap = try softcap(traits.attentionSoftcap)
        result.logitSoftcap = try softcap(traits.logitSoftcap)
        switch traits.embeddingScale {
        case .one: break
        case .rootOfHiddenSize: result.embeddingScale = Float(Double(shape.hiddenSize).squareRoot())
        case .member(let key): result.embeddingScale = Float(try factor(key, default: 1))
        }
        if let key = traits.residualScale { result.residualScale = Float(try factor(key, default: 1)) }
        if let key = traits.logitDivisor { result.logitScale = Float(1 / (try factor(key, default: 1))) }
        result.ropes = rope.kinds.map(\.description)
        result.layerRopes = rope.layers
        result.layerWindows = layers.windows(maxPositions: shape.maxPositions)
        return result
    }

    private func activation() throws(PackError) -> ModelArchitecture.Activation {
        let (key, fallback) = family.traits.activation
        let name = try settings.string(key, default: fallback)
        switch family.traits.activationNames[name] ?? name {
        case "silu", "swish": return .silu
        case "gelu_pytorch_tanh", "gelu_new": return .geluTanh
        default:
            throw settings.unsupported(
                key, "the MLP is gated by SiLU, or by GELU with the hyperbolic tangent")
        }
    }

    private func flag(_ flag: ModelFamily.Flag) throws(PackError) -> Bool {
        switch flag {
        case .never: false
        case .always: true
        case .member(let key): try settings.bool(key, default: false)
        }
    }

    private func attentionScale() throws(PackError) -> Float? {
        switch family.traits.attentionScale {
        case .inverseRootOfHeadSize: nil
        case .inverseRoot(let key, let fallback):
            Float(1 / (try factor(key, default: fallback)).squareRoot())
        case .member(let key, let fallback): Float(try factor(key, default: fallback))
        }
    }

    /// Absent, the family's default; null means none.
    private func softcap(_ trait: (key: String, fallback: Double?)?) throws(PackError) -> Float? {
        guard let (key, fallback) = trait else { return nil }
        guard settings.object[key] != nil else { return fallback.map { Float($0) } }
        return settings[key] == nil ? nil : Float(try factor(key, default: 1))
    }

    /// A number that the container can hold as a factor or the inverse of one.
    private func factor(_ key: String, default fallback: Double) throws(PackError) -> Double {
        let value = Double(try settings.float(key, default: fallback))
        let limit = Double(FormatLimits.maximumFactor)
        guard value >= 1 / limit, value <= limit else {
            throw settings.invalid(key, "is \(value), but must be in \(1 / limit)...\(limit)")
        }
        return value
    }
}
