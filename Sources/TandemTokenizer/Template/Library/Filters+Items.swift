// SPDX-License-Identifier: Apache-2.0

/// Filters on lists and mappings.
extension TemplateRun {
    /// The result, or nil when the filter is none of these.
    func applyToItems(
        _ filter: FilterName, to value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue? {
        let name = filter.rawValue
        switch filter {
        case .list:
            _ = try bind(arguments, [], of: name)
            return try list(try iterate(value))
        case .first:
            _ = try bind(arguments, [], of: name)
            if case .generator(let generator) = value {
                return try generator.takeFirst() ?? emptySequence
            }
            return try iterate(value).first ?? emptySequence
        case .last:
            _ = try bind(arguments, [], of: name)
            return try reversible(value).last ?? emptySequence
        case .join: return try join(value, arguments)
        case .items:
            _ = try bind(arguments, [], of: name)
            if value.isUndefined { return try makeGenerator(depth: 0) { [] } }
            guard case .dictionary(let dictionary) = value else {
                throw failure("'items' needs a mapping, not \(value.typeName)")
            }
            return try makeGenerator(depth: dictionary.depth) { ViewValue(.items, of: dictionary).items }
        case .reverse:
            _ = try bind(arguments, [], of: name)
            if case .text(let text) = value { return try self.text(text.units.reversed(), like: text) }
            let items: [TemplateValue]
            if case .generator(let generator) = value {
                return try list(try generator.takeAll().reversed())
            } else {
                items = try reversible(value)
            }
            return try makeGenerator(depth: value.depth) { items.reversed() }
        case .sort, .unique, .min, .max, .dictsort: return try order(filter, value, arguments)
        case .sum: return try sum(value, arguments)
        case .map, .select, .reject, .selectattr, .rejectattr:
            return try lazily(filter, value, arguments)
        case .batch: return try batch(value, arguments)
        case .slice: return try slices(value, arguments)
        default: return nil
        }
    }

    private var emptySequence: TemplateValue {
        .undefined(UndefinedValue(message: "there is no item, the sequence was empty"))
    }

    private func reversible(_ value: TemplateValue) throws(TemplateError) -> [TemplateValue] {
        switch value {
        case .generator, .loop: throw failure("a \(value.typeName) cannot be gone through backwards")
        default: return try iterate(value)
        }
    }

    private func join(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["d", "attribute"], of: "join")
        let separator = try string(values[0] ?? .text("")).units
        var items = try iterate(value)
        if let attribute = values[1], !attribute.isNone {
            let path = try attributePath(attribute)
            items = try items.map { (item) throws(TemplateError) in try follow(path, from: item) }
        }
        var units: [UInt32] = []
        for (index, item) in items.enumerated() {
            if index > 0 { units += separator }
            let piece = try string(item).units
            try charge(piece.count + separator.count)
            units += piece
        }
        return .text(TemplateText(units: units))
    }

    private func sum(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["attribute", "start"], of: "sum")
        let path =
            try values[0].map { (attribute) throws(TemplateError) in try attributePath(attribute) } ?? []
        var total = values[1] ?? .integer(0)
        if case .text = total { throw failure("'sum' cannot add strings") }
        for item in try iterate(value) {
            total = try compute(.add, total, try follow(path, from: item))
        }
        return total
    }

    private func batch(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["linecount", "fill_with"], required: 1, of: "batch")
        let size = values[0]?.index ?? 0
        let fill = values[1] ?? .none
        guard size > 0 else { throw failure("'batch' needs a positive size") }
        let items = try iterate(value)
        return try makeGenerator(depth: value.depth + 1) { [self] () throws(TemplateError) in
            var batches: [TemplateValue] = []
            for start in stride(from: 0, to: items.count, by: size) {
                var part = Array(items[start..<min(start + size, items.count)])
                if !fill.isNone, part.count < size {
                    try charge(size - part.count)
                    part += Array(repeating: fill, count: size - part.count)
                }
                batches.append(try list(part))
            }
            return batches
        }
    }

    private func slices(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["slices", "fill_with"], required: 1, of: "slice")
        let count = values[0]?.index ?? 0
        let fill = values[1] ?? .none
        guard count > 0 else { throw failure("'slice' needs a positive number") }
        let items = try iterate(value)
        return try makeGenerator(depth: value.depth + 1) { [self] () throws(TemplateError) in
            try charge(count)
            let (size, extra) = items.count.quotientAndRemainder(dividingBy: count)
            var parts: [TemplateValue] = []
            var start = 0
            for index in 0..<count {
                let end = start + size + (index < extra ? 1 : 0)
                var part = Array(items[start..<end])
                if !fill.isNone, index >= extra { part.append(fill) }
                parts.append(try list(part))
                start = end
            }
            return parts
        }
    }

    // MARK: - Filters that work item by item

    private func lazily(
        _ filter: FilterName, _ value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        try makeGenerator(depth: value.depth) { [self] () throws(TemplateError) in
            guard value.isTrue else { return [] }
            if filter == .map { return try mapped(value, arguments) }
            return try selected(filter, value, arguments)
        }
    }

    private func mapped(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> [TemplateValue]
    {
        var results: [TemplateValue] = []
        if arguments.positional.isEmpty,
            let attribute = arguments.keywords.first(where: { $0.name == "attribute" })
        {
            if let extra = arguments.keywords.first(where: { $0.name != "attribute" && $0.name != "default" })
            {
                throw failure("'map' has no argument '\(extra.name)'")
            }
            let path = try attributePath(attribute.value)
            let fallback = arguments.keywords.first { $0.name == "default" }?.value ?? .none
            for item in try iterate(value) {
                try step()
                results.append(try follow(path, from: item, fallback: fallback))
            }
            return results
        }
        guard let given = arguments.positional.first else { throw failure("'map' needs a filter") }
        guard case .text(let text) = given, let name = FilterName(rawValue: text.string) else {
            throw failure("there is no filter \(try represent(given))")
        }
        var rest = arguments
        rest.positional.removeFirst()
        for item in try iterate(value) {
            try step()
            results.append(try deeper { () throws(TemplateError) in try apply(name, to: item, rest) })
        }
        return results
    }

    private func selected(
        _ filter: FilterName, _ value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> [TemplateValue] {
        var rest = arguments
        var path: [TemplateValue] = []
        if filter == .selectattr || filter == .rejectattr {
            guard !rest.positional.isEmpty else { throw failure("'\(filter.rawValue)' needs an attribute") }
            path = try attributePath(rest.positional.removeFirst())
        }
        var test: TestName?
        if !rest.positional.isEmpty {
            let given = rest.positional.removeFirst()
            guard case .text(let text) = given, let name = TestName(rawValue: text.string) else {
                throw failure("there is no test \(try represent(given))")
            }
            test = name
        }
        let wanted = filter == .select || filter == .selectattr
        var results: [TemplateValue] = []
        for item in try iterate(value) {
            try step()
            let part = try follow(path, from: item)
            let result = try test.map { (test) throws(TemplateError) in try holds(test, for: part, rest) }
            if (result ?? part.isTrue) == wanted { results.append(item) }
        }
        return results
    }

    // MARK: - Attributes by path

    /// The steps of `"a.b.0"`.
    func attributePath(_ attribute: TemplateValue) throws(TemplateError) -> [TemplateValue] {
        switch attribute {
        case .none: return []
        case .text(let text):
            return text.split(by: [0x2E], limit: -1).map { part in
                let string = TemplateText(units: part).string
                let isNumber = !part.isEmpty && string.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
                return isNumber ? Int(string).map(TemplateValue.integer) ?? .text(part) : .text(part)
            }
        default: return [attribute]
        }
    }

    func follow(
        _ path: [TemplateValue], from start: TemplateValue, fallback: TemplateValue = .none
    ) throws(TemplateError) -> TemplateValue {
        var value = start
        for key in path {
            value = try item(key, of: value)
            if value.isUndefined, !fallback.isNone { value = fallback }
        }
        return value
    }
}
