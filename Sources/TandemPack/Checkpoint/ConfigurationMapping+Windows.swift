// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

extension ConfigurationMapping {
    /// What tells the layers of a model apart.
    struct LayerKinds {
        /// Positions a query sees in the layers with a window; nil when no layer has one.
        let window: Int?
        /// For each layer whether it has a window.
        let hasWindow: [Bool]
        /// For each layer whether it turns queries and keys.
        let hasRope: [Bool]

        /// The container's `layer_windows`. A window that covers every position a model was made for is none.
        func windows(maxPositions: Int) -> [Int] {
            guard let window, window < maxPositions, hasWindow.contains(true) else { return [] }
            return hasWindow.map { $0 ? window : 0 }
        }
    }

    func layerKinds(_ shape: LayerShape) throws(PackError) -> LayerKinds {
        let hasRope = try rotatedLayers(shape.layerCount)
        let window = try self.window()
        var hasWindow = try windowLayers(shape.layerCount, window: window, hasRope: hasRope)
        if let types = try layerTypes(shape.layerCount) {
            if family.windows.hasLayerTypes {
                hasWindow = types
            } else if types != hasWindow {
                throw settings.unsupported(
                    "layer_types",
                    window == nil
                        ? "every layer attends to everything before it" : "every layer has the same window")
            }
        }
        guard window != nil || !hasWindow.contains(true) else {
            let key = settings["layer_types"] == nil ? "sliding_window" : "layer_types"
            throw settings.unsupported(key, "there are layers with a window, but the window has no size")
        }
        return LayerKinds(window: window, hasWindow: hasWindow, hasRope: hasRope)
    }

    /// `sliding_window`: absent, the family's default counts; null means none.
    private func window() throws(PackError) -> Int? {
        let traits = family.windows
        if case .none = traits.layers { return nil }
        if let flag = traits.flag {
            guard try settings.bool(flag, default: false) else { return nil }
        }
        guard settings.object["sliding_window"] != nil else { return traits.fallback }
        guard settings["sliding_window"] != nil else { return nil }
        let window = try settings.integer("sliding_window")
        guard window >= 1 else {
            throw settings.invalid("sliding_window", "is \(window), but must be at least 1, or null")
        }
        return window
    }

    /// The layers to which the family gives a window where config.json does not list them.
    private func windowLayers(_ count: Int, window: Int?, hasRope: [Bool]) throws(PackError) -> [Bool] {
        switch family.windows.layers {
        case .none: return Array(repeating: false, count: count)
        case .all: return Array(repeating: window != nil, count: count)
        case .allButEvery(let key, let fallback):
            let period =
                try key.map { (key) throws(PackError) in try positive(key, default: fallback) } ?? fallback
            return (0..<count).map { ($0 + 1) % period != 0 }
        case .from(let key, let fallback):
            let first = try settings.integer(key, default: fallback)
            return (0..<count).map { window != nil && $0 >= first }
        case .unrotated: return hasRope.map { window != nil && !$0 }
        }
    }

    /// `layer_types` as whether a layer has a window; nil when absent.
    private func layerTypes(_ count: Int) throws(PackError) -> [Bool]? {
        guard let value = settings["layer_types"] else { return nil }
        guard let names = value.arrayValue, names.count == count else {
            throw settings.invalid(
                "layer_types", "must be an array with an entry for each of \(count) layers")
        }
        var result: [Bool] = []
        for name in names {
            switch name.stringValue {
            case "full_attention": result.append(false)
            case "sliding_attention": result.append(true)
            default:
                throw settings.unsupported(
                    "layer_types", "a layer is full_attention or sliding_attention, not \(name.serialized())")
            }
        }
        return result
    }

    private func rotatedLayers(_ count: Int) throws(PackError) -> [Bool] {
        guard let traits = family.rope.unrotated else { return Array(repeating: true, count: count) }
        guard let value = settings[traits.list] else {
            let interval = try positive(traits.interval.key, default: traits.interval.fallback)
            return (0..<count).map { ($0 + 1) % interval != 0 }
        }
        guard let entries = value.arrayValue, entries.count >= count else {
            throw settings.invalid(traits.list, "must be an array with an entry for each of \(count) layers")
        }
        var result: [Bool] = []
        for (index, entry) in entries.prefix(count).enumerated() {
            guard let number = entry.intValue ?? entry.boolValue.map({ $0 ? 1 : 0 }) else {
                throw settings.invalid("\(traits.list)[\(index)]", "is neither 0 nor 1")
            }
            result.append(number != 0)
        }
        return result
    }

    private func positive(_ key: String, default fallback: Int) throws(PackError) -> Int {
        let value = try settings.integer(key, default: fallback)
        guard value >= 1 else { throw settings.invalid(key, "is \(value), but must be at least 1") }
        return value
    }
}
