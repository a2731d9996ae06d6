// SPDX-License-Identifier: Apache-2.0

/// Filters on any value.
extension TemplateRun {
    func apply(
        _ filter: FilterName, to value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        let name = filter.rawValue
        switch filter {
        case .default, .d:
            let values = try bind(arguments, ["default_value", "boolean"], of: name)
            let isMissing = value.isUndefined || (values[1]?.isTrue ?? false) && !value.isTrue
            return isMissing ? values[0] ?? .text("") : value
        case .tojson: return try json(value, arguments)
        case .string:
            _ = try bind(arguments, [], of: name)
            return .text(try string(value))
        case .length, .count:
            _ = try bind(arguments, [], of: name)
            return .integer(try length(of: value))
        case .int: return try integer(value, arguments)
        case .float:
            let values = try bind(arguments, ["default"], of: name)
            return try float(value).map(TemplateValue.float) ?? values[0] ?? .float(0)
        case .abs:
            _ = try bind(arguments, [], of: name)
            if let number = value.index { return number < 0 ? try negate(value) : .integer(number) }
            if case .float(let number) = value { return .float(number.magnitude) }
            if case .undefined(let undefined) = value { throw failure(undefined.message) }
            throw failure("'abs' needs a number, not \(value.typeName)")
        case .round: return try round(value, arguments)
        case .attr:
            guard case .text(let key)? = try bind(arguments, ["name"], required: 1, of: name)[0] else {
                throw failure("'attr' needs the name of an attribute")
            }
            if case .dictionary = value, MethodName(rawValue: key.string)?.belongs(to: value) != true {
                return .undefined(UndefinedValue(message: "the dict has no attribute '\(key.string)'"))
            }
            return try attribute(key, of: value)
        default:
            if let result = try applyToItems(filter, to: value, arguments) { return result }
            return try applyToText(filter, to: value, arguments)
        }
    }

    func length(of value: TemplateValue) throws(TemplateError) -> Int {
        switch value {
        case .undefined: return 0
        case .text(let text): return text.count
        case .list(let list), .tuple(let list): return list.items.count
        case .dictionary(let dictionary): return dictionary.entries.count
        case .range(let range): return range.count
        case .view(let view): return view.items.count
        case .loop(let loop): return loop.items.count
        default: throw failure("a \(value.typeName) has no length")
        }
    }

    // MARK: - Numbers

    private func float(_ value: TemplateValue) throws(TemplateError) -> Double? {
        switch value {
        case .undefined(let undefined): throw failure(undefined.message)
        case .text(let text): return FloatText.parse(TemplateText(units: text.stripped(.both)).string)
        default: return value.number
        }
    }

    private func integer(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["default", "base"], of: "int")
        if let number = value.index { return .integer(number) }
        if case .text(let text) = value {
            guard let base = (values[1] ?? .integer(10)).index, base == 0 || (2...36).contains(base) else {
                throw failure("the base must be 0 or in 2 ... 36")
            }
            let string = TemplateText(units: text.stripped(.both)).string
            if let number = Self.parseInteger(string, base: base) { return .integer(number) }
        }
        guard let number = try float(value), number.isFinite else { return values[0] ?? .integer(0) }
        guard let whole = Int(exactly: number.rounded(.towardZero)) else {
            throw failure("an integer leaves the range of 64 bits")
        }
        return .integer(whole)
    }

    /// Python's `int(text, base)`.
    private static func parseInteger(_ text: String, base: Int) -> Int? {
        var body = Substring(text)
        let isNegative = body.hasPrefix("-")
        if isNegative || body.hasPrefix("+") { body = body.dropFirst() }
        var radix = base
        for (prefix, value) in [("0x", 16), ("0o", 8), ("0b", 2)]
        where body.lowercased().hasPrefix(prefix) && (base == 0 || base == value) {
            body = body.dropFirst(2)
            if body.hasPrefix("_") { body = body.dropFirst() }
            radix = value
        }
        if radix == 0 { radix = 10 }
        let parts = body.split(separator: "_", omittingEmptySubsequences: false)
        guard
            parts.allSatisfy({ part in
                !part.isEmpty && part.allSatisfy { $0.isASCII && ($0.isNumber || $0.isLetter) }
            })
        else { return nil }
        return Int((isNegative ? "-" : "") + parts.joined(), radix: radix)
    }

    private func round(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["precision", "method"], of: "round")
        guard let places = (values[0] ?? .integer(0)).index, places.magnitude <= 300 else {
            throw failure("the precision of 'round' must be an integer up to 300")
        }
        var method = "common"
        if let given = values[1] {
            guard case .text(let text) = given, ["common", "ceil", "floor"].contains(text.string) else {
                throw failure("the method of 'round' must be common, ceil or floor")
            }
            method = text.string
        }
        if case .undefined(let undefined) = value { throw failure(undefined.message) }
        guard let number = value.number else {
            throw failure("'round' needs a number, not \(value.typeName)")
        }
        if method == "common" {
            if let whole = value.index, places >= 0 { return .integer(whole) }
            guard places >= 0 else { throw failure("'round' to tens is not supported") }
            guard number.isFinite else { return .float(number) }
            return .float(Double(FloatText.fixed(number, decimals: places)) ?? number)
        }
        let scale = places < 0 ? 1 / Self.power(10, Double(-places)) : Self.power(10, Double(places))
        let scaled = number * scale
        guard scaled.isFinite else { throw failure("'round' needs a finite number") }
        return .float((method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)) / scale)
    }
}
