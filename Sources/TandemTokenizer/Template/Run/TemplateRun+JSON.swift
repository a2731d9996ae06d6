// SPDX-License-Identifier: Apache-2.0

/// The filter `tojson`, as the chat templates of transformers have it: Python's `json.dumps`, nothing escaped for HTML.
extension TemplateRun {
    private struct Style {
        var escapesNonASCII = false
        var indent: [UInt32]?
        var itemSeparator: [UInt32]
        var keySeparator: [UInt32]
        var sortsKeys = false
    }

    func json(_ value: TemplateValue, _ arguments: CallArguments) throws(TemplateError) -> TemplateValue {
        let names = ["ensure_ascii", "indent", "separators", "sort_keys"]
        let values = try bind(arguments, names, of: "tojson")
        var style = Style(itemSeparator: TemplateText(", ").units, keySeparator: TemplateText(": ").units)
        style.escapesNonASCII = values[0]?.isTrue ?? false
        style.sortsKeys = values[3]?.isTrue ?? false
        if let indent = values[1], !indent.isNone {
            style.itemSeparator = TemplateText(",").units
            if case .text(let text) = indent {
                style.indent = text.units
            } else if let width = indent.index {
                try charge(max(0, width))
                style.indent = Array(repeating: 0x20, count: max(0, width))
            } else {
                throw failure("'indent' must be an integer or a string, not \(indent.typeName)")
            }
        }
        if let separators = values[2], !separators.isNone {
            let parts = try iterate(separators)
            guard parts.count == 2, case .text(let item) = parts[0], case .text(let key) = parts[1] else {
                throw failure("'separators' must be two strings")
            }
            style.itemSeparator = item.units
            style.keySeparator = key.units
        }
        var result: [UInt32] = []
        try write(value, style, level: 0, to: &result)
        return .text(result)
    }

    private func write(
        _ value: TemplateValue, _ style: Style, level: Int, to result: inout [UInt32]
    ) throws(TemplateError) {
        try step()
        switch value {
        case .none: result += TemplateText("null").units
        case .boolean(let flag): result += TemplateText(flag ? "true" : "false").units
        case .integer(let number): result += TemplateText(String(number)).units
        case .float(let number): result += TemplateText(Self.jsonNumber(number)).units
        case .text(let text): try write(text, style, to: &result)
        case .list(let list), .tuple(let list):
            try writeAll(list.items.count, "[", "]", style, level: level, to: &result) {
                (index, result) throws(TemplateError) in
                try write(list.items[index], style, level: level + 1, to: &result)
            }
        case .dictionary(let dictionary):
            let entries = try jsonEntries(dictionary, style)
            try writeAll(entries.count, "{", "}", style, level: level, to: &result) {
                (index, result) throws(TemplateError) in
                try write(entries[index].key, style, to: &result)
                result += style.keySeparator
                try write(entries[index].value, style, level: level + 1, to: &result)
            }
        default: throw failure("a \(value.typeName) cannot be written as JSON")
        }
    }

    private func writeAll(
        _ count: Int, _ opening: String, _ closing: String, _ style: Style, level: Int,
        to result: inout [UInt32],
        _ write: (Int, inout [UInt32]) throws(TemplateError) -> Void
    ) throws(TemplateError) {
        result += TemplateText(opening).units
        for index in 0..<count {
            if index > 0 { result += style.itemSeparator }
            try breakLine(style, level: level + 1, to: &result)
            try write(index, &result)
        }
        if count > 0 { try breakLine(style, level: level, to: &result) }
        result += TemplateText(closing).units
    }

    private func breakLine(_ style: Style, level: Int, to result: inout [UInt32]) throws(TemplateError) {
        guard let indent = style.indent else { return }
        try charge(indent.count * level + 1)
        result.append(0x0A)
        for _ in 0..<level { result += indent }
    }

    private func jsonEntries(
        _ dictionary: DictionaryValue, _ style: Style
    ) throws(TemplateError) -> [(key: TemplateText, value: TemplateValue)] {
        var entries = dictionary.entries
        if style.sortsKeys { entries = try sorted(entries, reverse: false) { $0.key } }
        return try entries.map { (entry) throws(TemplateError) in
            switch entry.key {
            case .text(let text): return (text, entry.value)
            case .none: return (TemplateText("null"), entry.value)
            case .boolean(let flag): return (TemplateText(flag ? "true" : "false"), entry.value)
            case .integer(let number): return (TemplateText(String(number)), entry.value)
            case .float(let number): return (TemplateText(Self.jsonNumber(number)), entry.value)
            default: throw failure("a \(entry.key.typeName) cannot be a key in JSON")
            }
        }
    }

    private static func jsonNumber(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        return FloatText.shortest(number)
    }

    private func write(_ text: TemplateText, _ style: Style, to result: inout [UInt32]) throws(TemplateError)
    {
        try charge(text.count)
        result.append(0x22)
        for unit in text.units {
            let value = unit & TemplateText.valueMask
            switch value {
            case 0x22, 0x5C: result += [0x5C, unit]
            case 0x0A: result += [0x5C, 0x6E]
            case 0x0D: result += [0x5C, 0x72]
            case 0x09: result += [0x5C, 0x74]
            case 0x08: result += [0x5C, 0x62]
            case 0x0C: result += [0x5C, 0x66]
            case 0..<0x20: result += TemplateText("\\u" + Self.hexadecimal(value, width: 4)).units
            case 0x7F... where style.escapesNonASCII:
                for half in String(TemplateText.scalar(value)).utf16 {
                    result += TemplateText("\\u" + Self.hexadecimal(UInt32(half), width: 4)).units
                }
            default: result.append(unit)
            }
        }
        result.append(0x22)
    }
}
