// SPDX-License-Identifier: Apache-2.0

/// `"%s of %d" % values`.
extension TemplateRun {
    /// The filter `format`.
    func formatted(_ format: TemplateText, _ arguments: CallArguments) throws(TemplateError) -> TemplateText {
        guard arguments.positional.isEmpty || arguments.keywords.isEmpty else {
            throw failure("'format' takes either values or keywords")
        }
        if arguments.keywords.isEmpty {
            return try formatted(format, with: .tuple(ItemList(arguments.positional)))
        }
        return try formatted(
            format, with: try dictionary(arguments.keywords.map { (.text($0.name), $0.value) }))
    }

    func formatted(_ format: TemplateText, with right: TemplateValue) throws(TemplateError) -> TemplateText {
        var writer = PercentWriter(format: format, run: self, values: [right])
        if case .tuple(let list) = right { writer.values = list.items }
        if case .dictionary(let dictionary) = right { writer.mapping = dictionary }
        try writer.write()
        switch right {
        case .dictionary, .list, .range, .undefined: break
        default:
            guard writer.used == writer.values.count else {
                throw failure("not all values were used by the format")
            }
        }
        return format.with(writer.result)
    }
}

private struct PercentWriter {
    let format: TemplateText
    let run: TemplateRun
    var values: [TemplateValue]
    var mapping: DictionaryValue?
    var used = 0
    var result: [UInt32] = []
    private var index = 0

    init(format: TemplateText, run: TemplateRun, values: [TemplateValue]) {
        self.format = format
        self.run = run
        self.values = values
    }

    private var current: UInt32? {
        index < format.count ? format.units[index] & TemplateText.valueMask : nil
    }

    mutating func write() throws(TemplateError) {
        try run.charge(format.count)
        while let unit = current {
            if unit != 0x25 {
                result.append(format.units[index])
                index += 1
                continue
            }
            index += 1
            if current == 0x25 {
                result.append(0x25)
                index += 1
            } else {
                try writeField()
            }
        }
    }

    private mutating func next() throws(TemplateError) -> TemplateValue {
        guard used < values.count else { throw run.failure("the format asks for more values than there are") }
        used += 1
        return values[used - 1]
    }

    private mutating func writeField() throws(TemplateError) {
        var specification = FormatSpecification()
        var value: TemplateValue?
        if current == 0x28 {
            guard let mapping else { throw run.failure("the format asks for a mapping") }
            guard let end = format.find([0x29], from: index) else {
                throw run.failure("the format is incomplete")
            }
            let key = TemplateText(units: Array(format.units[index + 1..<end]))
            guard let found = mapping[key] else { throw run.failure("the mapping has no '\(key.string)'") }
            value = found
            index = end + 1
        }
        while let flag = current, [0x23, 0x30, 0x2D, 0x20, 0x2B].contains(flag) {
            switch flag {
            case 0x23: specification.isAlternate = true
            case 0x2D: specification.alignment = .left
            case 0x30 where specification.alignment == nil:
                specification.alignment = .afterSign
                specification.fill = 0x30
            case 0x2B: specification.sign = 0x2B
            case 0x20 where specification.sign == nil: specification.sign = 0x20
            default: break
            }
            index += 1
        }
        if specification.alignment == .left { specification.fill = 0x20 }
        specification.width = try number() ?? 0
        if current == 0x2E {
            index += 1
            specification.precision = try number() ?? 0
        }
        while let size = current, [0x68, 0x6C, 0x4C].contains(size) { index += 1 }
        guard let kind = current else { throw run.failure("the format is incomplete") }
        index += 1
        specification.kind = kind
        let used: TemplateValue
        if let value { used = value } else { used = try next() }
        try write(used, &specification)
    }

    private mutating func number() throws(TemplateError) -> Int? {
        if current == 0x2A {
            index += 1
            guard let width = try next().index else { throw run.failure("'*' needs an integer") }
            return width
        }
        var value: Int?
        while let digit = current, digit >= 0x30, digit <= 0x39 {
            value = min((value ?? 0) * 10 + Int(digit) - 0x30, 1 << 40)
            index += 1
        }
        return value
    }

    private mutating func write(
        _ value: TemplateValue, _ specification: inout FormatSpecification
    ) throws(TemplateError) {
        switch specification.kind {
        case 0x73, 0x72:
            if specification.alignment == .afterSign { specification.alignment = nil }
            specification.fill = 0x20
            var text =
                specification.kind == 0x73
                ? try run.string(value) : TemplateText(units: try run.represent(value).units)
            if format.isMarkup { text = try run.escaped(text) }
            result += try run.writeText(text.units, specification, .right)
        case 0x64, 0x69, 0x75:
            var whole = value
            if case .float(let number) = value {
                guard let integer = Int(exactly: number.rounded(.towardZero)) else {
                    throw run.failure("an integer leaves the range of 64 bits")
                }
                whole = .integer(integer)
            }
            result += try run.write(whole, specification)
        default: result += try run.write(value, specification)
        }
    }
}
