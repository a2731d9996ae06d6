// SPDX-License-Identifier: Apache-2.0

/// Numbers and strings, written as Python writes them.
extension TemplateLexer {
    /// Reads a number, if one starts here.
    mutating func readNumber() throws(TemplateError) -> Bool {
        let units = source.units
        let start = offset
        guard Self.isDigit(units[start]) else { return false }
        if let radix = radix(at: start) {
            var end = start + 2
            while end < units.count, Self.digit(units[end], radix: radix) != nil || units[end] == 0x5F {
                end += 1
            }
            let digits = text(start + 2..<end)
            guard let value = Int(digits, radix: radix) else {
                throw failure("the number is not an integer of 64 bits", at: start)
            }
            append(.integer(value), at: start)
            offset = end
            return true
        }
        var end = endOfDigits(from: start)
        var isFloat = false
        let followsDot = start > 0 && units[start - 1] == 0x2E
        if !followsDot {
            if end + 1 < units.count, units[end] == 0x2E, Self.isDigit(units[end + 1]) {
                end = endOfDigits(from: end + 1)
                isFloat = true
            }
            if end < units.count, units[end] | 0x20 == 0x65 {
                var exponent = end + 1
                if exponent < units.count, units[exponent] == 0x2B || units[exponent] == 0x2D {
                    exponent += 1
                }
                if exponent < units.count, Self.isDigit(units[exponent]) {
                    end = endOfDigits(from: exponent)
                    isFloat = true
                }
            }
        }
        let digits = text(start..<end)
        offset = end
        if isFloat {
            append(.float(Double(digits) ?? .infinity), at: start)
            return true
        }
        guard digits.utf8.first != UInt8(ascii: "0") || digits.allSatisfy({ $0 == "0" }) else {
            throw failure("the number starts with 0", at: start)
        }
        guard let value = Int(digits) else {
            throw failure("the number is not an integer of 64 bits", at: start)
        }
        append(.integer(value), at: start)
        return true
    }

    private static func isDigit(_ value: UInt32) -> Bool { value >= 0x30 && value <= 0x39 }

    private func radix(at start: Int) -> Int? {
        guard source.units[start] == 0x30, start + 2 < source.units.count else { return nil }
        let radix: Int
        switch source.units[start + 1] | 0x20 {
        case 0x62: radix = 2
        case 0x6F: radix = 8
        case 0x78: radix = 16
        default: return nil
        }
        return Self.digit(source.units[start + 2], radix: radix) == nil ? nil : radix
    }

    /// The value of a digit.
    static func digit(_ value: UInt32, radix: Int) -> Int? {
        let digit: Int
        switch value {
        case 0x30...0x39: digit = Int(value) - 0x30
        case 0x41...0x46: digit = Int(value) - 0x37
        case 0x61...0x66: digit = Int(value) - 0x57
        default: return nil
        }
        return digit < radix ? digit : nil
    }

    /// Digits, with single underscores between them.
    private func endOfDigits(from start: Int) -> Int {
        let units = source.units
        var end = start
        while end < units.count {
            if Self.isDigit(units[end]) {
                end += 1
            } else if units[end] == 0x5F, end + 1 < units.count, Self.isDigit(units[end + 1]) {
                end += 2
            } else {
                break
            }
        }
        return end
    }

    private func text(_ range: Range<Int>) -> String {
        TemplateText(units: source.units[range].filter { $0 != 0x5F }).string
    }

    // MARK: - Strings

    /// Reads a string, if one starts here.
    mutating func readString() throws(TemplateError) -> Bool {
        let units = source.units
        let start = offset
        let quote = units[start]
        guard quote == 0x22 || quote == 0x27 else { return false }
        offset += 1
        var value: [UInt32] = []
        while offset < units.count {
            let unit = units[offset]
            if unit == quote {
                offset += 1
                append(.text(value), at: start)
                return true
            }
            if unit == 0x5C {
                try readEscape(into: &value)
            } else {
                value.append(unit)
                offset += 1
            }
        }
        throw failure("the string that starts here has no end", at: start)
    }

    private static let simpleEscapes: [UInt32: UInt32] = [
        0x5C: 0x5C, 0x27: 0x27, 0x22: 0x22, 0x61: 0x07, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D,
        0x74: 0x09, 0x76: 0x0B,
    ]

    private mutating func readEscape(into value: inout [UInt32]) throws(TemplateError) {
        let units = source.units
        let start = offset
        guard start + 1 < units.count else { throw failure("the string has no end", at: start) }
        let letter = units[start + 1]
        offset += 2
        if let simple = Self.simpleEscapes[letter] {
            value.append(simple)
            return
        }
        switch letter {
        case 0x0A: return
        case 0x30...0x37:
            var code = letter - 0x30
            while offset < units.count, offset < start + 4, (0x30...0x37).contains(units[offset]) {
                code = code * 8 + units[offset] - 0x30
                offset += 1
            }
            value.append(code)
        case 0x78: value.append(try readHexadecimal(2, from: start))
        case 0x75: value.append(try readHexadecimal(4, from: start))
        case 0x55: value.append(try readHexadecimal(8, from: start))
        case 0x4E: throw .unsupported("the escape '\\N{…}'", at: source.position(start))
        case 0x80...:
            // jinja2 escapes what is not ASCII before it undoes escapes, so the backslash loses its meaning.
            let digits = String(letter, radix: 16)
            let (prefix, width) = letter < 0x100 ? ("x", 2) : letter < 0x10000 ? ("u", 4) : ("U", 8)
            let padding = String(repeating: "0", count: width - digits.count)
            value += TemplateText("\\" + prefix + padding + digits).units
        default: value += [0x5C, letter]
        }
    }

    private mutating func readHexadecimal(_ count: Int, from start: Int) throws(TemplateError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<count {
            guard offset < source.units.count, let digit = Self.digit(source.units[offset], radix: 16) else {
                throw failure("the escape needs \(count) hexadecimal digits", at: start)
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        guard Unicode.Scalar(code) != nil else {
            throw .unsupported("an escape that is no Unicode scalar", at: source.position(start))
        }
        return code
    }
}
