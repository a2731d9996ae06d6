// SPDX-License-Identifier: Apache-2.0

/// Methods of texts. Those of text that counts as escaped give such text again.
extension TemplateRun {
    func call(
        _ method: MethodName, of text: TemplateText, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        switch method {
        case .split, .rsplit, .splitlines, .partition, .rpartition:
            return try cut(method, text, arguments)
        case .format: return .text(text.with(try filled(text, arguments).units))
        case .formatMap:
            guard arguments.positional.count == 1, case .dictionary(let map) = arguments.positional[0] else {
                throw failure("'format_map' needs a mapping")
            }
            var keywords = CallArguments()
            for case (.text(let name), let value) in map.entries {
                keywords.keywords.append((name.string, value))
            }
            return .text(text.with(try filled(text, keywords).units))
        default: break
        }
        guard arguments.keywords.isEmpty else { throw failure("'\(method.rawValue)' takes no keywords") }
        switch method {
        case .strip, .lstrip, .rstrip:
            let set = try characterSet(try bind(arguments, ["chars"], of: method.rawValue)[0] ?? .none)
            let ends: TemplateText.Ends = method == .strip ? .both : method == .lstrip ? .left : .right
            return try self.text(text.stripped(ends, of: set), like: text)
        case .startswith, .endswith: return .boolean(try hasAffix(method, text, arguments))
        case .find, .rfind, .index, .rindex, .count: return .integer(try place(method, text, arguments))
        case .replace:
            let values = try bind(arguments, ["old", "new", "count"], required: 2, of: "replace")
            let old = try textArgument(values[0], of: method)
            let new =
                text.isMarkup
                ? try escaped(try textArgument(values[1], of: method))
                : try textArgument(values[1], of: method)
            let limit = try count(values[2], of: "replace") ?? -1
            return .text(text.with(try replacing(text, old, new, limit: limit)))
        case .join: return try join(text, arguments)
        case .removeprefix, .removesuffix:
            let part = try textArgument(
                try bind(arguments, ["part"], required: 1, of: method.rawValue)[0], of: method)
            if method == .removeprefix {
                return try self.text(
                    Array(text.units.dropFirst(text.hasPrefix(part.units) ? part.count : 0)), like: text)
            }
            return try self.text(
                Array(text.units.dropLast(text.hasSuffix(part.units) ? part.count : 0)), like: text)
        case .center, .ljust, .rjust, .zfill: return try pad(method, text, arguments)
        default:
            _ = try bind(arguments, [], of: method.rawValue)
            return try convert(method, text)
        }
    }

    private func textArgument(_ value: TemplateValue?, of method: MethodName) throws(TemplateError)
        -> TemplateText
    {
        guard case .text(let text)? = value else {
            throw failure("'\(method.rawValue)' needs a string, not \(value?.typeName ?? "nothing")")
        }
        return text
    }

    // MARK: - Case and classes

    private func convert(_ method: MethodName, _ text: TemplateText) throws(TemplateError) -> TemplateValue {
        switch method {
        case .upper: return try self.text(text.uppercased, like: text)
        case .lower: return try self.text(text.lowercased, like: text)
        case .capitalize: return try self.text(text.capitalized, like: text)
        case .title: return try self.text(text.titlecased, like: text)
        case .swapcase: return try self.text(text.swappedCase, like: text)
        case .casefold:
            let folded = text.with(text.uppercased).lowercased
            return try self.text(
                text.units.allSatisfy { $0 & TemplateText.valueMask < 0x80 } ? text.lowercased : folded,
                like: text)
        case .islower: return .boolean(text.isLower)
        case .isupper: return .boolean(text.isUpper)
        case .istitle: return .boolean(text.isTitle)
        case .isascii: return .boolean(text.units.allSatisfy { $0 & TemplateText.valueMask < 0x80 })
        case .isprintable:
            return .boolean(text.units.allSatisfy { Self.isPrintable($0 & TemplateText.valueMask) })
        default: return .boolean(!text.isEmpty && text.units.allSatisfy { Self.belongs($0, to: method) })
        }
    }

    private static func belongs(_ unit: UInt32, to method: MethodName) -> Bool {
        let properties = TemplateText.scalar(unit).properties
        let isAlpha =
            switch properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
            default: false
            }
        switch method {
        case .isspace: return TemplateText.isSpace(unit & TemplateText.valueMask)
        case .isalpha: return isAlpha
        case .isdecimal: return properties.numericType == .decimal
        case .isdigit: return properties.numericType == .decimal || properties.numericType == .digit
        case .isnumeric: return properties.numericType != nil
        default: return isAlpha || properties.numericType != nil
        }
    }

    // MARK: - Searching

    private func bounds(
        _ text: TemplateText, _ values: [TemplateValue?], of method: MethodName
    ) throws(TemplateError) -> Range<Int>? {
        func bound(_ value: TemplateValue?, _ fallback: Int) throws(TemplateError) -> Int {
            let index = try count(value, of: method.rawValue) ?? fallback
            return index < 0 ? max(0, index &+ text.count) : index
        }
        let start = try bound(values[1], 0)
        let end = min(try bound(values[2], text.count), text.count)
        return start <= end ? start..<end : nil
    }

    private func hasAffix(
        _ method: MethodName, _ text: TemplateText, _ arguments: CallArguments
    ) throws(TemplateError) -> Bool {
        let values = try bind(arguments, ["part", "start", "end"], required: 1, of: method.rawValue)
        var parts: [TemplateValue] = [values[0] ?? .none]
        if case .tuple(let list) = parts[0] { parts = list.items }
        let range = try bounds(text, values, of: method)
        for part in parts {
            let wanted = try textArgument(part, of: method).units
            guard let range else { continue }
            let piece = TemplateText(units: Array(text.units[range]))
            if method == .startswith ? piece.hasPrefix(wanted) : piece.hasSuffix(wanted) { return true }
        }
        return false
    }

    private func place(
        _ method: MethodName, _ text: TemplateText, _ arguments: CallArguments
    ) throws(TemplateError) -> Int {
        let values = try bind(arguments, ["part", "start", "end"], required: 1, of: method.rawValue)
        let part = try textArgument(values[0], of: method).units
        try charge(text.count / 16)
        let range = try bounds(text, values, of: method)
        if method == .count {
            guard let range else { return 0 }
            return TemplateText(units: Array(text.units[range])).occurrences(of: part)
        }
        let isFirst = method == .find || method == .index
        let found = range.flatMap { range in
            isFirst
                ? text.find(part, from: range.lowerBound, to: range.upperBound)
                : text.findLast(part, from: range.lowerBound, to: range.upperBound)
        }
        guard let found else {
            if method == .find || method == .rfind { return -1 }
            throw failure("'\(method.rawValue)' finds no such part in the string")
        }
        return found
    }

    // MARK: - Cutting and joining

    private func cut(
        _ method: MethodName, _ text: TemplateText, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        try charge(text.count)
        func pieces(_ units: [[UInt32]]) -> [TemplateValue] { units.map { .text(text.with($0)) } }
        switch method {
        case .splitlines:
            let keeps = try bind(arguments, ["keepends"], of: method.rawValue)[0]?.isTrue ?? false
            return try list(pieces(text.lines(keepingEnds: keeps)))
        case .partition, .rpartition:
            let separator = try textArgument(
                try bind(arguments, ["sep"], required: 1, of: method.rawValue)[0], of: method
            ).units
            guard !separator.isEmpty else { throw failure("the separator is empty") }
            let isFirst = method == .partition
            guard let place = isFirst ? text.find(separator) : text.findLast(separator) else {
                return try tuple(pieces(isFirst ? [text.units, [], []] : [[], [], text.units]))
            }
            let end = place + separator.count
            return try tuple(
                pieces([
                    Array(text.units[..<place]), Array(text.units[place..<end]), Array(text.units[end...]),
                ]))
        default: break
        }
        let values = try bind(arguments, ["sep", "maxsplit"], of: method.rawValue)
        let limit = try count(values[1], of: method.rawValue) ?? -1
        let fromLeft = method == .split
        if let given = values[0], !given.isNone {
            let separator = try textArgument(given, of: method).units
            guard !separator.isEmpty else { throw failure("the separator is empty") }
            return try list(
                pieces(
                    fromLeft
                        ? text.split(by: separator, limit: limit)
                        : text.splitFromRight(by: separator, limit: limit)))
        }
        return try list(pieces(fromLeft ? text.words(limit: limit) : text.wordsFromRight(limit: limit)))
    }

    private func join(_ separator: TemplateText, _ arguments: CallArguments) throws(TemplateError)
        -> TemplateValue
    {
        let values = try bind(arguments, ["iterable"], required: 1, of: "join")
        var units: [UInt32] = []
        for (index, item) in try iterate(values[0] ?? .none).enumerated() {
            var piece: TemplateText
            if separator.isMarkup {
                piece = try escaped(try string(item))
            } else {
                guard case .text(let text) = item else {
                    throw failure("'join' needs strings, not \(item.typeName)")
                }
                piece = text
            }
            if index > 0 { units += separator.units }
            try charge(piece.count + separator.count)
            units += piece.units
        }
        return .text(separator.with(units))
    }

    private func pad(
        _ method: MethodName, _ text: TemplateText, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        let values = try bind(arguments, ["width", "fillchar"], required: 1, of: method.rawValue)
        let width = try count(values[0], of: method.rawValue) ?? 0
        if method == .zfill {
            let sign = text.units.first.map { $0 & TemplateText.valueMask }
            guard sign == 0x2B || sign == 0x2D else {
                return try padded(text, width: width, fill: 0x30, .left)
            }
            let rest = text.with(Array(text.units.dropFirst()))
            guard case .text(let digits) = try padded(rest, width: width - 1, fill: 0x30, .left) else {
                return .text(text)
            }
            return try self.text([text.units[0]] + digits.units, like: text)
        }
        var fill: UInt32 = 0x20
        if let given = values[1] {
            let character = try textArgument(given, of: method)
            guard character.count == 1 else { throw failure("the fill character must be one character") }
            fill = character.units[0]
        }
        return try padded(
            text, width: width, fill: fill, method == .center ? .both : method == .ljust ? .right : .left)
    }
}
