// SPDX-License-Identifier: Apache-2.0

extension GBNFParser {
    /// A text in quotes, as UTF-8.
    mutating func literal() throws(GrammarError) -> [UInt8] {
        let start = mark
        _ = next()
        var bytes: [UInt8] = []
        while let scalar = peek {
            if scalar == "\"" {
                _ = next()
                return bytes
            }
            if scalar == "\n" || scalar == "\r" { break }
            guard let value = Unicode.Scalar(try character()) else { continue }
            bytes.append(contentsOf: UTF8.encode(value) ?? UTF8.encodedReplacementCharacter)
        }
        throw problem("this text is not closed by '\"' on its line", at: start)
    }

    /// `[a-z]`, `[^"\\]`.
    mutating func characterClass() throws(GrammarError) -> ScalarSet {
        let start = mark
        _ = next()
        let isInverted = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while let scalar = peek {
            if scalar == "]" {
                _ = next()
                let set = ScalarSet(ranges)
                return isInverted ? set.inverted : set
            }
            if scalar == "\n" || scalar == "\r" { break }
            let place = mark
            let first = try character()
            var last = first
            let hyphen = mark
            if take("-") {
                if peek == "]" || peek == nil { back(to: hyphen) } else { last = try character() }
            }
            guard first <= last else { throw problem("this range ends before it begins", at: place) }
            ranges.append(first...last)
        }
        throw problem("this class is not closed by ']' on its line", at: start)
    }

    /// One scalar of a text or a class, escaped or not.
    private mutating func character() throws(GrammarError) -> UInt32 {
        let start = mark
        guard let scalar = next() else { throw problem("a character is expected") }
        guard scalar == "\\" else { return scalar.value }
        switch next() {
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "x": return try hexadecimal(2, start)
        case "u": return try hexadecimal(4, start)
        case "U": return try hexadecimal(8, start)
        case let other?:
            switch other {
            case "\\", "\"", "[", "]", "-", "^": return other.value
            default: throw problem("'\\\(other)' is not an escape; use \\\\ for a backslash", at: start)
            }
        case nil: throw problem("a character is expected after '\\'")
        }
    }

    private mutating func hexadecimal(_ digits: Int, _ start: Int) throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = peek, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw problem("\(digits) hexadecimal digits are expected")
            }
            _ = next()
            value = value << 4 | UInt32(digit)
        }
        guard Unicode.Scalar(value) != nil else { throw problem("this is no Unicode scalar", at: start) }
        return value
    }

    /// `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}`, `{,m}`; nil where none stands.
    mutating func quantifier() throws(GrammarError) -> (least: Int, most: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        let start = mark
        guard take("{") else { return nil }
        skipSpace(acrossLines: false)
        let least = try count()
        skipSpace(acrossLines: false)
        guard take(",") else {
            guard let least, take("}") else {
                throw problem("'{n}', '{n,}' or '{n,m}' is expected", at: start)
            }
            return (least, least)
        }
        skipSpace(acrossLines: false)
        let most = try count()
        skipSpace(acrossLines: false)
        guard take("}"), least != nil || most != nil else {
            throw problem("'{n}', '{n,}' or '{n,m}' is expected", at: start)
        }
        if let most, most < least ?? 0 { throw problem("the most is less than the least", at: start) }
        return (least ?? 0, most)
    }

    private mutating func count() throws(GrammarError) -> Int? {
        var value: Int?
        while let scalar = peek, ("0"..."9").contains(scalar) {
            value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
            guard value ?? 0 <= GrammarLimits.repetitions else {
                throw problem("a count must be at most \(GrammarLimits.repetitions)")
            }
            _ = next()
        }
        return value
    }
}
