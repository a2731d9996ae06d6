// SPDX-License-Identifier: Apache-2.0

/// `"{} of {name}".format(values)`.
extension TemplateRun {
    func filled(_ format: TemplateText, _ arguments: CallArguments) throws(TemplateError) -> TemplateText {
        try charge(format.count)
        var result: [UInt32] = []
        var index = 0
        var automatic = 0
        while index < format.count {
            let unit = format.units[index]
            let value = unit & TemplateText.valueMask
            let next = index + 1 < format.count ? format.units[index + 1] & TemplateText.valueMask : 0
            if (value == 0x7B || value == 0x7D) && next == value {
                result.append(unit)
                index += 2
            } else if value == 0x7B {
                guard let end = format.find([0x7D], from: index) else { throw failure("a '{' has no '}'") }
                let field = TemplateText(units: Array(format.units[index + 1..<end]))
                guard !field.contains([0x7B]) else { throw failure("fields inside fields are not supported") }
                let text = try fill(field, arguments, &automatic)
                result += format.isMarkup ? try escaped(text).units : text.units
                index = end + 1
            } else if value == 0x7D {
                throw failure("a '}' has no '{'")
            } else {
                result.append(unit)
                index += 1
            }
        }
        return TemplateText(units: result)
    }

    /// The text of one field: a path, a conversion after `!`, a specification after `:`.
    private func fill(
        _ field: TemplateText, _ arguments: CallArguments, _ automatic: inout Int
    ) throws(TemplateError) -> TemplateText {
        let colon = field.find([0x3A]) ?? field.count
        var path = TemplateText(units: Array(field.units[..<colon]))
        var conversion: UInt32?
        if let mark = path.find([0x21]) {
            guard mark + 2 == path.count else { throw failure("the conversion of a field is not one letter") }
            conversion = path.units[mark + 1] & TemplateText.valueMask
            path = TemplateText(units: Array(path.units[..<mark]))
        }
        var value = try lookUp(path, arguments, &automatic)
        switch conversion {
        case nil: break
        case 0x73: value = .text(try string(value))
        case 0x72: value = .text(try represent(value).units)
        default: throw failure("the conversion of a field must be 's' or 'r'")
        }
        let specification = TemplateText(units: Array(field.units[min(colon + 1, field.count)...]))
        if specification.isEmpty { return try string(value) }
        return TemplateText(units: try write(value, fieldSpecification: specification))
    }

    private func lookUp(
        _ path: TemplateText, _ arguments: CallArguments, _ automatic: inout Int
    ) throws(TemplateError) -> TemplateValue {
        let nameEnd =
            path.units.firstIndex { [0x2E, 0x5B].contains($0 & TemplateText.valueMask) } ?? path.count
        let name = TemplateText(units: Array(path.units[..<nameEnd])).string
        var value: TemplateValue
        if name.isEmpty || name.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
            if !name.isEmpty, automatic > 0 || automatic < 0 && name.isEmpty {
                throw failure("fields with and without numbers cannot be mixed")
            }
            if name.isEmpty, automatic < 0 {
                throw failure("fields with and without numbers cannot be mixed")
            }
            let place = name.isEmpty ? automatic : Int(name) ?? Int.max
            automatic = name.isEmpty ? automatic + 1 : -1
            guard place < arguments.positional.count else { throw failure("there is no value for a field") }
            value = arguments.positional[place]
        } else {
            guard let found = arguments.keywords.first(where: { $0.name == name }) else {
                throw failure("there is no value for the field '\(name)'")
            }
            value = found.value
        }
        var index = nameEnd
        while index < path.count {
            if path.units[index] & TemplateText.valueMask == 0x5B {
                guard let end = path.find([0x5D], from: index) else { throw failure("a '[' has no ']'") }
                let key = Array(path.units[index + 1..<end])
                let string = TemplateText(units: key).string
                let isNumber = !key.isEmpty && string.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
                value = try item(isNumber ? .integer(Int(string) ?? Int.max) : .text(key), of: value)
                index = end + 1
            } else {
                let end =
                    path.units[(index + 1)...].firstIndex {
                        [0x2E, 0x5B].contains($0 & TemplateText.valueMask)
                    }
                    ?? path.count
                value = try attribute(TemplateText(units: Array(path.units[index + 1..<end])), of: value)
                index = end
            }
        }
        return value
    }

    private func write(
        _ value: TemplateValue, fieldSpecification text: TemplateText
    ) throws(TemplateError) -> [UInt32] {
        let specification = try parse(text, for: value)
        switch value {
        case .text(let text):
            guard specification.kind == 0x73, specification.alignment != .afterSign else {
                throw failure("a string cannot be written by this specification")
            }
            return try writeText(text.units, specification)
        case .boolean, .integer, .float: return try write(value, specification)
        default: throw failure("a \(value.typeName) cannot be written by a specification")
        }
    }

    private func parse(
        _ text: TemplateText, for value: TemplateValue
    ) throws(TemplateError) -> FormatSpecification {
        let units = text.units.map { $0 & TemplateText.valueMask }
        let alignments: [UInt32: FormatSpecification.Alignment] = [
            0x3C: .left, 0x3E: .right, 0x5E: .center, 0x3D: .afterSign,
        ]
        var specification = FormatSpecification()
        var index = 0
        func peek() -> UInt32 { index < units.count ? units[index] : 0 }
        if units.count > 1, let alignment = alignments[units[1]] {
            specification.fill = text.units[0]
            specification.alignment = alignment
            index = 2
        } else if let alignment = alignments[peek()] {
            specification.alignment = alignment
            index = 1
        }
        if [0x2B, 0x20, 0x2D].contains(peek()) {
            if peek() != 0x2D { specification.sign = peek() }
            index += 1
        }
        if peek() == 0x23 {
            specification.isAlternate = true
            index += 1
        }
        if peek() == 0x30 {
            if specification.alignment == nil {
                specification.fill = 0x30
                if case .text = value {
                    specification.alignment = .left
                } else {
                    specification.alignment = .afterSign
                }
            }
            index += 1
        }
        func digits() -> Int? {
            var number: Int?
            while index < units.count, units[index] >= 0x30, units[index] <= 0x39 {
                number = min((number ?? 0) * 10 + Int(units[index]) - 0x30, 1 << 40)
                index += 1
            }
            return number
        }
        specification.width = digits() ?? 0
        if peek() == 0x2C || peek() == 0x5F {
            specification.groups = peek()
            index += 1
        }
        if peek() == 0x2E {
            index += 1
            specification.precision = digits()
        }
        if index < units.count {
            specification.kind = units[index]
            index += 1
        } else if case .text = value {
            specification.kind = 0x73
        } else if case .float = value {
            throw failure("a float needs a kind in its specification, such as 'f'")
        } else {
            specification.kind = 0x64
        }
        guard index == units.count, specification.kind != 0x69, specification.kind != 0x75 else {
            throw failure("the specification '\(text.string)' is not supported")
        }
        return specification
    }
}
