// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

extension ConfigurationMapping {
    /// Rotary embeddings as the container holds them.
    struct Rope {
        let base: Float
        /// Empty when one plain kind over whole heads is all there is.
        let kinds: [RopeFrequencies]
        /// The container's `layer_ropes`.
        let layers: [Int?]
    }

    func rope(_ shape: LayerShape, layers: LayerKinds) throws(PackError) -> Rope {
        let settings = try ropeSettings(shape)
        // The kind of each layer: that of layers with a window is 1 where the family tells them apart.
        let kinds = zip(layers.hasRope, layers.hasWindow).map { hasRope, hasWindow -> Int? in
            hasRope ? (hasWindow && settings.count > 1 ? 1 : 0) : nil
        }
        let used = (0..<settings.count).filter { kinds.contains($0) }
        let base = Float(settings[used.first ?? 0].base)
        let isPlain = used.allSatisfy { settings[$0].isPlain } && used.count < 2
        let numbers = kinds.map { kind in kind.flatMap { used.firstIndex(of: $0) } }
        return Rope(
            base: base, kinds: isPlain ? [] : used.map { settings[$0].frequencies },
            layers: numbers.allSatisfy { $0 == 0 } ? [] : numbers)
    }

    /// One kind, or two where the family's layers with a window have their own.
    private func ropeSettings(_ shape: LayerShape) throws(PackError) -> [RopeSettings] {
        let (key, object) = try ropeObject()
        guard let windowLayers = family.rope.windowLayers else {
            return [
                try RopeSettings(
                    RopeReader(settings: settings, prefix: key, object: object), shape: shape,
                    traits: family.rope, base: number("rope_theta", default: family.rope.base))
            ]
        }
        let old = settings["rope_scaling"]?.objectValue?.isEmpty == false
        func part(_ name: String) throws(PackError) -> RopeReader {
            guard !old, let value = object[name], !value.isNull else {
                return RopeReader(settings: settings, prefix: key, object: JSONObject())
            }
            guard let nested = value.objectValue else {
                throw settings.invalid("\(key).\(name)", "is not an object")
            }
            return RopeReader(settings: settings, prefix: "\(key).\(name)", object: nested)
        }
        if !old {
            for member in object.members where !["full_attention", "sliding_attention"].contains(member.key) {
                throw settings.unsupported(
                    key, "it must have an object for full_attention and one for sliding_attention")
            }
        }
        let global =
            old
            ? RopeReader(settings: settings, prefix: key, object: object) : try part("full_attention")
        return [
            try RopeSettings(
                global, shape: shape, traits: family.rope,
                base: number("rope_theta", default: family.rope.base)),
            try RopeSettings(
                part("sliding_attention"), shape: shape, traits: family.rope,
                base: windowLayers.baseMember.map { (key) throws(PackError) in
                    try number(key, default: windowLayers.base)
                } ?? windowLayers.base),
        ]
    }

    /// `rope_scaling` of older checkpoints, else `rope_parameters`; empty when neither is there.
    private func ropeObject() throws(PackError) -> (key: String, object: JSONObject) {
        for key in ["rope_scaling", "rope_parameters"] {
            guard let value = settings[key] else { continue }
            guard let object = value.objectValue else {
                throw settings.unsupported(key, "it must be an object")
            }
            if !object.isEmpty { return (key, object) }
        }
        return ("rope_parameters", JSONObject())
    }

    private func number(_ key: String, default fallback: Double) throws(PackError) -> Double {
        guard let value = settings[key] else { return fallback }
        guard let number = value.doubleValue else { throw settings.invalid(key, "is not a number") }
        return number
    }
}
