// SPDX-License-Identifier: Apache-2.0

/// Values as Python prints them.
extension TemplateRun {
    /// Python's `str`.
    func string(_ value: TemplateValue) throws(TemplateError) -> TemplateText {
        switch value {
        case .text(let text): return text
        case .undefined: return TemplateText(units: [])
        default: return TemplateText(units: try represent(value).units)
        }
    }

    /// Python's `repr`.
    func represent(_ value: TemplateValue) throws(TemplateError) -> Representation {
        var result = Representation()
        try append(value, to: &result)
        return result
    }

    /// A text that grows while a value is written.
    struct Representation: CustomStringConvertible {
        var units: [UInt32] = []

        mutating func append(_ text: String) {
            for scalar in text.unicodeScalars { units.append(scalar.value) }
        }

        var description: String { TemplateText(units: units).string }
    }

    private func append(_ value: TemplateValue, to result: inout Representation) throws(TemplateError) {
        try step()
        switch value {
        case .undefined: result.append("Undefined")
        case .none: result.append("None")
        case .boolean(let flag): result.append(flag ? "True" : "False")
        case .integer(let number): result.append(String(number))
        case .float(let number): result.append(FloatText.shortest(number))
        case .text(let text):
            try charge(text.count)
            if text.isMarkup { result.append("Markup(") }
            result.units += Self.quoted(text)
            if text.isMarkup { result.append(")") }
        case .list(let list): try append(list.items, "[", "]", to: &result)
        case .tuple(let list): try append(list.items, "(", list.items.count == 1 ? ",)" : ")", to: &result)
        case .dictionary(let dictionary): try append(dictionary.entries, to: &result)
        case .range(let range):
            let step = range.step == 1 ? "" : ", \(range.step)"
            result.append("range(\(range.start), \(range.stop)\(step))")
        case .view(let view):
            result.append("\(view.kind.rawValue)(")
            try append(view.items, "[", "]", to: &result)
            result.append(")")
        case .namespace(let namespace):
            result.append("<Namespace ")
            try deeper { () throws(TemplateError) in
                try append(namespace.attributes.map { (.text($0.name), $0.value) }, to: &result)
            }
            result.append(">")
        case .loop(let loop): result.append("<LoopContext \(loop.index + 1)/\(loop.items.count)>")
        case .generator, .function:
            throw failure("a \(value.typeName) cannot be printed; make it a list first")
        }
    }

    private func append(
        _ items: [TemplateValue], _ opening: String, _ closing: String, to result: inout Representation
    ) throws(TemplateError) {
        result.append(opening)
        for (index, item) in items.enumerated() {
            if index > 0 { result.append(", ") }
            try append(item, to: &result)
        }
        result.append(closing)
    }

    private func append(
        _ entries: [(key: TemplateValue, value: TemplateValue)], to result: inout Representation
    ) throws(TemplateError) {
        result.append("{")
        for (index, entry) in entries.enumerated() {
            if index > 0 { result.append(", ") }
            try append(entry.key, to: &result)
            result.append(": ")
            try append(entry.value, to: &result)
        }
        result.append("}")
    }

    /// A string literal: in single quotes where these do not need escapes, with escapes for what does not print.
    private static func quoted(_ text: TemplateText) -> [UInt32] {
        let hasSingle = text.contains([0x27])
        let quote: UInt32 = hasSingle && !text.contains([0x22]) ? 0x22 : 0x27
        var result = [quote]
        for unit in text.units {
            let value = unit & TemplateText.valueMask
            switch value {
            case quote, 0x5C: result += [0x5C, unit]
            case 0x09: result += [0x5C, 0x74]
            case 0x0A: result += [0x5C, 0x6E]
            case 0x0D: result += [0x5C, 0x72]
            case 0x20..<0x7F: result.append(unit)
            default:
                if value >= 0x80, isPrintable(value) {
                    result.append(unit)
                } else {
                    let (letter, width) = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
                    result += TemplateText("\\" + letter + hexadecimal(value, width: width)).units
                }
            }
        }
        return result + [quote]
    }

    static func hexadecimal(_ value: UInt32, width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// Whether Python prints a code point as it is.
    static func isPrintable(_ value: UInt32) -> Bool {
        if value == 0x20 { return true }
        switch TemplateText.scalar(value).properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    /// The text with what HTML gives a meaning replaced; escaped text stays as it is.
    func escaped(_ text: TemplateText) throws(TemplateError) -> TemplateText {
        if text.isMarkup { return text }
        var units: [UInt32] = []
        for unit in text.units {
            switch unit & TemplateText.valueMask {
            case 0x26: units += TemplateText("&amp;").units
            case 0x3C: units += TemplateText("&lt;").units
            case 0x3E: units += TemplateText("&gt;").units
            case 0x27: units += TemplateText("&#39;").units
            case 0x22: units += TemplateText("&#34;").units
            default: units.append(unit)
            }
        }
        try charge(units.count)
        return TemplateText(units: units, isMarkup: true)
    }
}
