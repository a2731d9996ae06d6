// SPDX-License-Identifier: Apache-2.0

/// Why a JSON text was refused, and at which byte.
///
/// Offsets count bytes from the start of the text, starting at 0.
public enum JSONError: Error, Sendable, Equatable {
    /// The text ended where `expected` should have followed.
    case unexpectedEnd(offset: Int, expected: String)
    /// `byte` stands where the grammar asks for `expected`.
    case unexpectedByte(UInt8, offset: Int, expected: String)
    /// A string holds bytes that are not well-formed UTF-8.
    case invalidUTF8(offset: Int)
    /// A string holds an unescaped control character (U+0000 … U+001F).
    case controlCharacter(UInt8, offset: Int)
    /// A backslash is followed by something RFC 8259 does not define.
    case invalidEscape(offset: Int)
    /// A `\u` escape names half of a surrogate pair and the other half is missing.
    case loneSurrogate(UInt16, offset: Int)
    /// A number's magnitude is beyond the largest finite `Double`.
    case numberOutOfRange(offset: Int)
    /// A number is written with more bytes than the parser accepts.
    case numberTooLong(offset: Int, limit: Int)
    /// An object names the same key twice.
    case duplicateKey(String, offset: Int)
    /// Arrays and objects are nested more deeply than the limit.
    case tooDeep(offset: Int, limit: Int)
    /// The text is longer than the limit.
    case tooLarge(count: Int, limit: Int)
    /// The text starts with a byte order mark, which RFC 8259 forbids writing.
    case byteOrderMark
    /// A complete value is followed by something other than white space.
    case trailingBytes(offset: Int)

    /// The byte at which reading stopped.
    public var offset: Int {
        switch self {
        case .unexpectedEnd(let offset, _), .unexpectedByte(_, let offset, _), .invalidUTF8(let offset),
            .controlCharacter(_, let offset), .invalidEscape(let offset), .loneSurrogate(_, let offset),
            .numberOutOfRange(let offset), .numberTooLong(let offset, _), .duplicateKey(_, let offset),
            .tooDeep(let offset, _), .trailingBytes(let offset):
            return offset
        case .tooLarge(_, let limit):
            return limit
        case .byteOrderMark:
            return 0
        }
    }
}

extension JSONError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unexpectedEnd(let offset, let expected):
            return "JSON ends at byte \(offset), where \(expected) is expected"
        case .unexpectedByte(let byte, let offset, let expected):
            return "JSON has \(Self.name(of: byte)) at byte \(offset), where \(expected) is expected"
        case .invalidUTF8(let offset):
            return "JSON string is not valid UTF-8 at byte \(offset)"
        case .controlCharacter(let byte, let offset):
            return "JSON string has the control character \(Self.name(of: byte)) at byte \(offset); "
                + "it must be escaped"
        case .invalidEscape(let offset):
            return "JSON string has an undefined escape at byte \(offset)"
        case .loneSurrogate(let unit, let offset):
            return "JSON string has the lone surrogate U+\(Self.hex(Int(unit), digits: 4)) at byte \(offset)"
        case .numberOutOfRange(let offset):
            return "JSON number at byte \(offset) is beyond the range of a 64-bit float"
        case .numberTooLong(let offset, let limit):
            return "JSON number at byte \(offset) is longer than \(limit) bytes"
        case .duplicateKey(let key, let offset):
            return "JSON object repeats the key \"\(Self.excerpt(key))\" at byte \(offset)"
        case .tooDeep(let offset, let limit):
            return "JSON is nested more than \(limit) levels deep at byte \(offset)"
        case .tooLarge(let count, let limit):
            return "JSON text has \(count) bytes; the limit is \(limit)"
        case .byteOrderMark:
            return "JSON text starts with a byte order mark; save it as UTF-8 without one"
        case .trailingBytes(let offset):
            return "JSON value is complete, but more text follows at byte \(offset)"
        }
    }

    private static func name(of byte: UInt8) -> String {
        if byte > 0x20 && byte < 0x7F {
            return "'\(Character(Unicode.Scalar(byte)))'"
        }
        return "byte 0x\(hex(Int(byte), digits: 2))"
    }

    private static func hex(_ value: Int, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private static func excerpt(_ key: String) -> String {
        key.unicodeScalars.count > 60 ? String(key.prefix(60)) + "…" : key
    }
}
