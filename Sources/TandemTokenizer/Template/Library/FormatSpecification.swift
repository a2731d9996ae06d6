// SPDX-License-Identifier: Apache-2.0

/// How one value is written by `%` or `format`: sign, width, precision, kind.
struct FormatSpecification {
    enum Alignment {
        case left, right, center, afterSign
    }

    var fill: UInt32 = 0x20
    var alignment: Alignment?
    /// `+` or a space before numbers that are not negative.
    var sign: UInt32?
    var isAlternate = false
    var groups: UInt32?
    var width = 0
    var precision: Int?
    var kind: UInt32 = 0
}

extension TemplateRun {
    /// A number or text written by its specification.
    func write(
        _ value: TemplateValue, _ specification: FormatSpecification
    ) throws(TemplateError) -> [UInt32] {
        switch specification.kind {
        case 0x64, 0x69, 0x75, 0x78, 0x58, 0x6F, 0x62: return try writeInteger(value, specification)
        case 0x66, 0x46, 0x25: return try writeFixed(value, specification)
        case 0x73, 0x72, 0x61: return try writeText(try string(value).units, specification)
        default:
            throw failure("the format '\(TemplateText.scalar(specification.kind))' is not supported")
        }
    }

    private func writeInteger(
        _ value: TemplateValue, _ specification: FormatSpecification
    ) throws(TemplateError) -> [UInt32] {
        guard let number = value.index else {
            throw failure("an integer is needed, not \(value.typeName)")
        }
        let radix: Int
        switch specification.kind {
        case 0x78, 0x58: radix = 16
        case 0x6F: radix = 8
        case 0x62: radix = 2
        default: radix = 10
        }
        var digits = TemplateText(
            String(number.magnitude, radix: radix, uppercase: specification.kind == 0x58)
        ).units
        if let precision = specification.precision {
            try charge(precision)
            digits = Array(repeating: 0x30, count: max(0, precision - digits.count)) + digits
        }
        if let separator = specification.groups {
            let size = radix == 10 ? 3 : 4
            digits = digits.enumerated().flatMap { index, digit in
                index > 0 && (digits.count - index) % size == 0 ? [separator, digit] : [digit]
            }
        }
        let prefix: [UInt32] = specification.isAlternate && radix != 10 ? [0x30, specification.kind] : []
        return try writeNumber(prefix + digits, isNegative: number < 0, specification)
    }

    private func writeFixed(
        _ value: TemplateValue, _ specification: FormatSpecification
    ) throws(TemplateError) -> [UInt32] {
        guard var number = value.number else { throw failure("a number is needed, not \(value.typeName)") }
        let precision = specification.precision ?? 6
        guard precision <= 300 else { throw failure("a precision of more than 300 is not supported") }
        if specification.kind == 0x25 { number *= 100 }
        var text = FloatText.fixed(number.magnitude, decimals: precision)
        if let separator = specification.groups,
            let point = text.firstIndex(of: ".") ?? Optional(text.endIndex)
        {
            let whole = Array(text[..<point])
            let grouped = whole.enumerated().map { index, digit in
                index > 0 && (whole.count - index) % 3 == 0
                    ? "\(TemplateText.scalar(separator))\(digit)" : "\(digit)"
            }
            text = grouped.joined() + text[point...]
        }
        if specification.kind == 0x25 { text += "%" }
        return try writeNumber(
            TemplateText(text).units, isNegative: number.sign == .minus && !number.isNaN, specification)
    }

    private func writeNumber(
        _ digits: [UInt32], isNegative: Bool, _ specification: FormatSpecification
    ) throws(TemplateError) -> [UInt32] {
        let sign: [UInt32] = isNegative ? [0x2D] : specification.sign.map { [$0] } ?? []
        if specification.alignment == .afterSign {
            let missing = specification.width - digits.count - sign.count
            try charge(max(0, missing))
            return sign + Array(repeating: specification.fill, count: max(0, missing)) + digits
        }
        return try align(sign + digits, specification, .right)
    }

    func writeText(
        _ units: [UInt32], _ specification: FormatSpecification,
        _ alignment: FormatSpecification.Alignment = .left
    ) throws(TemplateError) -> [UInt32] {
        let shown = specification.precision.map { Array(units.prefix($0)) } ?? units
        return try align(shown, specification, alignment)
    }

    private func align(
        _ units: [UInt32], _ specification: FormatSpecification, _ usual: FormatSpecification.Alignment
    ) throws(TemplateError) -> [UInt32] {
        let missing = specification.width - units.count
        try charge(units.count)
        guard missing > 0 else { return units }
        try charge(missing)
        let left: Int
        switch specification.alignment ?? usual {
        case .left: left = 0
        case .right, .afterSign: left = missing
        case .center: left = missing / 2
        }
        return Array(repeating: specification.fill, count: left) + units
            + Array(repeating: specification.fill, count: missing - left)
    }
}
