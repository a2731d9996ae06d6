// SPDX-License-Identifier: Apache-2.0

/// Filters on texts.
extension TemplateRun {
    func applyToText(
        _ filter: FilterName, to value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        let name = filter.rawValue
        switch filter {
        case .trim:
            let characters = try bind(arguments, ["chars"], of: name)[0] ?? .none
            let text = try string(value)
            return try self.text(text.stripped(.both, of: try characterSet(characters)), like: text)
        case .upper, .lower, .capitalize, .title, .wordcount:
            _ = try bind(arguments, [], of: name)
            let text = try string(value)
            switch filter {
            case .upper: return try self.text(text.uppercased, like: text)
            case .lower: return try self.text(text.lowercased, like: text)
            case .capitalize: return try self.text(text.capitalized, like: text)
            case .title: return try self.text(text.titledWords)
            default: return .integer(Self.wordCount(text))
            }
        case .replace:
            let values = try bind(arguments, ["old", "new", "count"], required: 2, of: name)
            let limit = try count(values[2], of: name) ?? -1
            let old = try string(values[0] ?? .none)
            let new = try string(values[1] ?? .none)
            return .text(TemplateText(units: try replacing(try string(value), old, new, limit: limit)))
        case .safe:
            _ = try bind(arguments, [], of: name)
            return .text(TemplateText(units: try string(value).units, isMarkup: true))
        case .escape, .e:
            _ = try bind(arguments, [], of: name)
            return .text(try escaped(try string(value)))
        case .forceescape:
            _ = try bind(arguments, [], of: name)
            return .text(try escaped(TemplateText(units: try string(value).units)))
        case .format: return .text(try formatted(try string(value), arguments))
        case .indent: return try indent(value, arguments)
        case .center:
            let width = try count(try bind(arguments, ["width"], of: name)[0], of: name) ?? 80
            let text = try string(value)
            return try padded(text, width: width, fill: 0x20, .both)
        case .truncate: return try truncate(value, arguments)
        default: throw failure("the filter '\(name)' is not supported")
        }
    }

    /// An optional whole number.
    func count(_ value: TemplateValue?, of name: String) throws(TemplateError) -> Int? {
        guard let value, !value.isNone else { return nil }
        guard let count = value.index else {
            throw failure("'\(name)' needs an integer, not \(value.typeName)")
        }
        return count
    }

    /// The characters to strip, or nil for white space.
    func characterSet(_ value: TemplateValue) throws(TemplateError) -> [UInt32]? {
        switch value {
        case .none: return nil
        case .text(let text): return text.units
        default: throw failure("the characters to strip must be a string, not \(value.typeName)")
        }
    }

    func replacing(
        _ text: TemplateText, _ old: TemplateText, _ new: TemplateText, limit: Int
    ) throws(TemplateError) -> [UInt32] {
        let found = text.occurrences(of: old.units)
        let count = limit < 0 ? found : min(found, limit)
        let (added, overflow) = count.multipliedReportingOverflow(by: new.count)
        try charge(overflow ? Int.max : added)
        try charge(text.count)
        return text.replacing(old.units, with: new.units, limit: limit)
    }

    private static func wordCount(_ text: TemplateText) -> Int {
        var count = 0
        var inside = false
        for unit in text.units {
            let properties = TemplateText.scalar(unit).properties
            let isWord =
                properties.isAlphabetic || properties.numericType != nil
                || unit & TemplateText.valueMask == 0x5F
            if isWord, !inside { count += 1 }
            inside = isWord
        }
        return count
    }

    private func indent(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["width", "first", "blank"], of: "indent")
        guard case .text(let text) = value else {
            if case .undefined(let undefined) = value { throw failure(undefined.message) }
            throw failure("'indent' needs a string, not \(value.typeName)")
        }
        var indentation: [UInt32]
        if case .text(let given)? = values[0] {
            indentation = given.units
        } else {
            let width = max(0, try count(values[0], of: "indent") ?? 4)
            try charge(width)
            indentation = Array(repeating: 0x20, count: width)
        }
        if text.isMarkup { indentation = try escaped(TemplateText(units: indentation)).units }
        let lines = text.with(text.units + [0x0A]).lines(keepingEnds: false)
        let indentsBlank = values[2]?.isTrue ?? false
        try charge(text.count)
        var units = values[1]?.isTrue ?? false ? indentation : []
        for (index, line) in lines.enumerated() {
            if index > 0 {
                units.append(0x0A)
                if indentsBlank || !line.isEmpty {
                    try charge(indentation.count)
                    units += indentation
                }
            }
            units += line
        }
        return .text(text.with(units))
    }

    private func truncate(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["length", "killwords", "end", "leeway"], of: "truncate")
        let length = try count(values[0], of: "truncate") ?? 255
        let end = try string(values[2] ?? .text("..."))
        let leeway = try count(values[3], of: "truncate") ?? 5
        guard length >= end.count, leeway >= 0 else { throw failure("the length of 'truncate' is too small") }
        let limit = length.addingReportingOverflow(leeway)
        if limit.overflow { return value }
        if try self.length(of: value) <= limit.partialValue { return value }
        guard case .text(let text) = value else {
            throw failure("'truncate' needs a string, not \(value.typeName)")
        }
        let head = text.with(Array(text.units.prefix(length - end.count)))
        if values[1]?.isTrue ?? false { return .text(try join(head, end)) }
        return .text(try join(text.with(head.splitFromRight(by: [0x20], limit: 1)[0]), end))
    }

    /// A text with `fill` at its ends up to a width.
    func padded(
        _ text: TemplateText, width: Int, fill: UInt32, _ ends: TemplateText.Ends
    ) throws(TemplateError) -> TemplateValue {
        let missing = width - text.count
        guard missing > 0 else { return .text(text) }
        try charge(missing)
        var left = 0
        switch ends {
        case .left: left = missing
        case .right: left = 0
        // Python's way to deal out an odd number of fillers.
        case .both: left = missing / 2 + (missing & width & 1)
        }
        let units =
            Array(repeating: fill, count: left) + text.units + Array(repeating: fill, count: missing - left)
        return try self.text(units, like: text)
    }
}
