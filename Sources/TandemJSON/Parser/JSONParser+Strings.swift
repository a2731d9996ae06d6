// SPDX-License-Identifier: Apache-2.0

extension JSONParser {
    /// Reads the string whose opening quote is at `position`.
    mutating func parseString(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        position &+= 1
        let start = position
        skipPlainBytes(bytes)
        guard position < bytes.count else { throw .unexpectedEnd(offset: position, expected: "'\"'") }
        if bytes[position] == UInt8(ascii: "\"") {
            let text = try string(bytes, start..<position)
            position &+= 1
            return text
        }
        return try parseEscapedString(bytes, start: start)
    }

    /// Goes on from the first byte of a string that does not stand for itself.
    private mutating func parseEscapedString(
        _ bytes: Span<UInt8>, start: Int
    ) throws(JSONError) -> String {
        var text: [UInt8] = []
        var runStart = start
        while true {
            if runStart < position {
                text.append(contentsOf: try string(bytes, runStart..<position).utf8)
            }
            guard position < bytes.count else { throw .unexpectedEnd(offset: position, expected: "'\"'") }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position &+= 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                try parseEscape(bytes, into: &text)
            case let byte:
                throw .controlCharacter(byte, offset: position)
            }
            runStart = position
            skipPlainBytes(bytes)
        }
    }

    private mutating func parseEscape(_ bytes: Span<UInt8>, into text: inout [UInt8]) throws(JSONError) {
        let start = position
        guard position &+ 1 < bytes.count else {
            throw .unexpectedEnd(offset: bytes.count, expected: "an escape")
        }
        let letter = bytes[position &+ 1]
        position &+= 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): Self.append(try parseScalar(bytes, start: start), to: &text)
        default: throw .invalidEscape(offset: start)
        }
    }

    /// Reads the digits of a `\u` escape and, after a leading surrogate, the escape that completes it.
    private mutating func parseScalar(
        _ bytes: Span<UInt8>, start: Int
    ) throws(JSONError) -> Unicode.Scalar {
        let first = try parseHexDigits(bytes, start: start)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, position &+ 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position &+ 1] == UInt8(ascii: "u")
        else { throw .loneSurrogate(first, offset: start) }
        let secondStart = position
        position &+= 2
        let second = try parseHexDigits(bytes, start: secondStart)
        guard second >= 0xDC00 && second <= 0xDFFF,
            let scalar = Unicode.Scalar(
                0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
        else { throw .loneSurrogate(first, offset: start) }
        return scalar
    }

    private mutating func parseHexDigits(_ bytes: Span<UInt8>, start: Int) throws(JSONError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard position < bytes.count else {
                throw .unexpectedEnd(offset: position, expected: "four hexadecimal digits")
            }
            let digit: UInt8
            switch bytes[position] {
            case let byte where byte >= 0x30 && byte <= 0x39: digit = byte - 0x30
            case let byte where byte >= 0x41 && byte <= 0x46: digit = byte - 0x41 + 10
            case let byte where byte >= 0x61 && byte <= 0x66: digit = byte - 0x61 + 10
            default: throw .invalidEscape(offset: start)
            }
            value = value << 4 | UInt16(digit)
            position &+= 1
        }
        return value
    }

    private static func append(_ scalar: Unicode.Scalar, to text: inout [UInt8]) {
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// Moves to the next quote, backslash or control character.
    private mutating func skipPlainBytes(_ bytes: Span<UInt8>) {
        var offset = position
        let count = bytes.count
        while offset < count {
            let byte = bytes[offset]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { break }
            offset &+= 1
        }
        position = offset
    }

    /// A copy of the bytes in `range`, which must be valid UTF-8.
    func string(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(JSONError) -> String {
        do {
            return String(copying: try UTF8Span(validating: bytes.extracting(range)))
        } catch {
            throw .invalidUTF8(offset: range.lowerBound + error.byteOffsets.lowerBound)
        }
    }
}
