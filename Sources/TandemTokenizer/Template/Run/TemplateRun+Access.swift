// SPDX-License-Identifier: Apache-2.0

/// Attributes, items and slices, as jinja2's sandbox finds them.
extension TemplateRun {
    /// `value.name`: the attribute, or else the item of that name.
    func attribute(_ name: TemplateText, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
        if case .undefined(let undefined) = value { throw failure(undefined.message) }
        if let attribute = ownAttribute(name, of: value) { return attribute }
        if case .dictionary(let dictionary) = value, let item = dictionary[name] { return item }
        return missing(name, of: value)
    }

    /// `value[key]`: the item, or else the attribute of that name.
    func item(_ key: TemplateValue, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
        switch value {
        case .undefined(let undefined): throw failure(undefined.message)
        case .dictionary(let dictionary):
            if key.isHashable, let item = dictionary[key] { return item }
        case .list(let list), .tuple(let list):
            if let place = place(key, count: list.items.count) { return list.items[place] }
        case .text(let text):
            if let place = place(key, count: text.count) { return .text(text.with([text.units[place]])) }
        case .range(let range):
            if let place = place(key, count: range.count) { return .integer(range[place]) }
        default: break
        }
        if case .text(let name) = key {
            return ownAttribute(name, of: value) ?? missing(name, of: value)
        }
        return .undefined(
            UndefinedValue(message: "the \(value.typeName) has no element \(try represent(key))"))
    }

    private func place(_ key: TemplateValue, count: Int) -> Int? {
        guard let index = key.index else { return nil }
        let place = index < 0 ? index &+ count : index
        return place >= 0 && place < count ? place : nil
    }

    private func missing(_ name: TemplateText, of value: TemplateValue) -> TemplateValue {
        .undefined(UndefinedValue(message: "the \(value.typeName) has no attribute '\(name.string)'"))
    }

    private func ownAttribute(_ name: TemplateText, of value: TemplateValue) -> TemplateValue? {
        switch value {
        case .namespace(let namespace): return namespace[name]
        case .loop(let loop): return loopAttribute(name.string, of: loop)
        case .function(.macro(let macro)):
            return name.string == "name" ? .text(macro.definition.name) : nil
        case .function(.dictionary): return name.string == "fromkeys" ? .function(.dictionaryFromKeys) : nil
        case .range(let range):
            switch name.string {
            case "start": return .integer(range.start)
            case "stop": return .integer(range.stop)
            case "step": return .integer(range.step)
            default: break
            }
        default: break
        }
        guard let method = MethodName(rawValue: name.string), method.belongs(to: value) else { return nil }
        return .function(.method(value, method))
    }

    private func loopAttribute(_ name: String, of loop: LoopState) -> TemplateValue? {
        let count = loop.items.count
        switch name {
        case "index": return .integer(loop.index + 1)
        case "index0": return .integer(loop.index)
        case "revindex": return .integer(count - loop.index)
        case "revindex0": return .integer(count - loop.index - 1)
        case "first": return .boolean(loop.index == 0)
        case "last": return .boolean(loop.index == count - 1)
        case "length": return .integer(count)
        case "depth": return .integer(loop.depth + 1)
        case "depth0": return .integer(loop.depth)
        case "previtem":
            if loop.index > 0 { return loop.items[loop.index - 1] }
            return .undefined(UndefinedValue(message: "there is no previous item"))
        case "nextitem":
            if loop.index + 1 < count { return loop.items[loop.index + 1] }
            return .undefined(UndefinedValue(message: "there is no next item"))
        case "cycle": return .function(.loopCycle(loop))
        case "changed": return .function(.loopChanged(loop))
        default: return nil
        }
    }

    // MARK: - Slices

    func slice(
        _ value: TemplateValue, start: TemplateValue, stop: TemplateValue, step: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        switch value {
        case .undefined(let undefined): throw failure(undefined.message)
        case .text(let text):
            let places = try places(start, stop, step, count: text.count)
            return try self.text(places.map { text.units[$0] }, like: text)
        case .list(let items):
            return try list(try places(start, stop, step, count: items.items.count).map { items.items[$0] })
        case .tuple(let items):
            return try tuple(try places(start, stop, step, count: items.items.count).map { items.items[$0] })
        case .range(let range):
            let bounds = try bounds(start, stop, step, count: range.count)
            return .range(
                RangeValue(
                    start: range[bounds.start], stop: range[bounds.stop], step: range.step &* bounds.step,
                    count: bounds.count))
        default: throw failure("a \(value.typeName) cannot be sliced")
        }
    }

    private func places(
        _ start: TemplateValue, _ stop: TemplateValue, _ step: TemplateValue, count: Int
    ) throws(TemplateError) -> [Int] {
        let bounds = try bounds(start, stop, step, count: count)
        try charge(bounds.count)
        return (0..<bounds.count).map { bounds.start &+ $0 &* bounds.step }
    }

    /// Where a slice begins, how far its items are apart and how many it has.
    private func bounds(
        _ start: TemplateValue, _ stop: TemplateValue, _ step: TemplateValue, count: Int
    ) throws(TemplateError) -> (start: Int, stop: Int, step: Int, count: Int) {
        func bound(_ value: TemplateValue) throws(TemplateError) -> Int? {
            if value.isNone { return nil }
            guard let index = value.index else {
                throw failure("the bounds of a slice must be integers, not \(value.typeName)")
            }
            return index
        }
        let stride = try bound(step) ?? 1
        guard stride != 0 else { throw failure("the step of a slice is zero") }
        guard stride != Int.min else { throw failure("the step of a slice is too large") }
        let (low, high) = stride > 0 ? (0, count) : (-1, count - 1)
        func clamped(_ index: Int?, _ fallback: Int) -> Int {
            guard let index else { return fallback }
            return index < 0 ? max(low, index &+ count) : min(high, index)
        }
        let first = clamped(try bound(start), stride > 0 ? low : high)
        let last = clamped(try bound(stop), stride > 0 ? high : low)
        let distance = stride > 0 ? last - first : first - last
        return (first, last, stride, distance <= 0 ? 0 : (distance - 1) / abs(stride) + 1)
    }
}
