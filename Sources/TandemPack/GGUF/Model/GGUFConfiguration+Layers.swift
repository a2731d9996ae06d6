// SPDX-License-Identifier: Apache-2.0

import TandemFormat

extension GGUFConfiguration {
    /// Positions that a query sees, for each layer; 0: all.
    func windows(_ shape: Shape) throws(PackError) -> [Int] {
        let name = "attention.sliding_window"
        let none = Array(repeating: 0, count: shape.layerCount)
        var window = try settings.layerInteger(name, layers: shape.layerCount, default: 0)
        if settings[name] == nil, case .allButEvery(_, let fallback?) = family.windows { window = fallback }
        guard window >= 0 else { throw settings.invalid(name, "is \(window), but must not be negative") }
        guard window > 0, window < shape.maxPositions else { return none }
        switch family.windows {
        case .none: throw settings.unsupported(name, "the architecture's layers see all positions")
        case .all: return none.map { _ in window }
        case .allButEvery: return try windowLayers(shape.layerCount).map { $0 ? window : 0 }
        }
    }

    /// Whether each layer has a window, where some have.
    func windowLayers(_ count: Int) throws(PackError) -> [Bool] {
        guard case .allButEvery(let fallback, _) = family.windows else {
            return Array(repeating: false, count: count)
        }
        let name = "attention.sliding_window_pattern"
        if let array = settings[name]?.arrayValue {
            guard let flags = array.bools ?? array.integers?.map({ $0 != 0 }), flags.count >= count else {
                throw settings.invalid(name, "must be a period, or a truth value for each of \(count) layers")
            }
            return Array(flags.prefix(count))
        }
        let period = try settings.integer(name, default: fallback)
        guard period >= 0 else { throw settings.invalid(name, "is \(period), but must not be negative") }
        return (0..<count).map { period == 0 || ($0 + 1) % period != 0 }
    }

    /// Rotary embeddings as the container holds them.
    struct Rope {
        let base: Float
        /// Empty when one plain kind over whole heads is all there is.
        let kinds: [RopeFrequencies]
        /// The container's `layer_ropes`.
        let layers: [Int?]
    }

    func rope(_ shape: Shape, windows: [Int]) throws(PackError) -> Rope {
        let reader = try GGUFRopeReader(self, shape: shape)
        let isRotated = try reader.isRotated
        // The kind of each layer: 1 for those with a window, where they have their own.
        let own = try reader.windowKind(family.windowRope)
        let hasWindow = own == nil ? windows.map { _ in false } : try ownRopeLayers(windows)
        let kinds = (0..<shape.layerCount).map { layer -> Int? in
            let isSkipped = family.unrotatedPeriod.map { (layer + 1) % $0 == 0 } ?? false
            return !isRotated || isSkipped ? nil : hasWindow[layer] ? 1 : 0
        }
        let all = [try reader.mainKind()] + (own.map { [$0] } ?? [])
        let used = all.indices.filter { kinds.contains($0) }
        let isPlain = used.allSatisfy { all[$0].isPlain } && used.count < 2
        let numbers = kinds.map { kind in kind.flatMap { used.firstIndex(of: $0) } }
        return Rope(
            base: Float(all[used.first ?? 0].base), kinds: isPlain ? [] : used.map { all[$0].frequencies },
            layers: numbers.allSatisfy { $0 == 0 } ? [] : numbers)
    }

    /// The layers whose rotary embeddings are those of layers with a window. A window without effect still counts.
    private func ownRopeLayers(_ windows: [Int]) throws(PackError) -> [Bool] {
        let window = try settings.layerInteger("attention.sliding_window", layers: windows.count, default: 0)
        return window > 0 ? try windowLayers(windows.count) : windows.map { _ in false }
    }
}
