// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import Testing

private func parse(_ text: String, _ limits: JSONLimits = .default) throws(JSONError) -> JSONValue {
    try JSONValue(parsing: Array(text.utf8), limits: limits)
}

@Suite struct ParsingTests {
    @Test(
        arguments: [
            ("null", .null), (" \t\r\n true ", true), ("false", false), ("\"\"", ""), ("[]", []), ("{}", [:]),
            ("[ ]", []), ("{ }", [:]), ("[1,2 , 3]", [1, 2, 3]), ("[[],[[]]]", [[], [[]]]),
            ("{\"a\":{\"b\":[null,{}]}}", ["a": ["b": [nil, [:]]]]),
            ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"),
            ("\"\\u0041\\u00e9\\u4E2d\\uD83D\\uDE00\"", "Aé中😀"), ("\"é中😀\u{7F}\"", "é中😀\u{7F}"),
            ("\"\\u0000\"", "\u{0}"), ("\"a\\nb\"", "a\nb"),
        ] as [(String, JSONValue)])
    func accepts(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(
        arguments: [
            ("0", .integer(0)), ("-1", .integer(-1)), ("9223372036854775807", .integer(.max)),
            ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)),
            ("-9223372036854775809", .number(-9_223_372_036_854_775_808)), ("1.0", .number(1)),
            ("1e3", .number(1000)), ("1E+2", .number(100)), ("25e-1", .number(2.5)), ("0.1", .number(0.1)),
            ("1e-400", .number(0)), ("4.9e-324", .number(.leastNonzeroMagnitude)),
            ("1.7976931348623157e308", .number(.greatestFiniteMagnitude)),
            ("123456789012345678901234567890", .number(123456789012345677877719597056)),
            ("0.30000000000000004", .number(0.1 + 0.2)), ("-0.0", .number(-0.0)),
        ] as [(String, JSONValue)])
    func readsNumbers(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
        #expect(try parse("[\(text)]") == [value])
    }

    @Test func negativeZeroKeepsItsSign() throws {
        #expect(try parse("-0").doubleValue?.sign == .minus)
        #expect(try parse("-0").intValue == 0)
    }

    @Test(
        arguments: [
            ("", .unexpectedEnd(offset: 0, expected: "a value")),
            ("  ", .unexpectedEnd(offset: 2, expected: "a value")),
            ("[1", .unexpectedEnd(offset: 2, expected: "',' or ']'")),
            ("[1,]", .unexpectedByte(0x5D, offset: 3, expected: "a value")),
            ("[,1]", .unexpectedByte(0x2C, offset: 1, expected: "a value")),
            ("[1 2]", .unexpectedByte(0x32, offset: 3, expected: "',' or ']'")),
            ("[1}", .unexpectedByte(0x7D, offset: 2, expected: "',' or ']'")),
            ("{\"a\":1]", .unexpectedByte(0x5D, offset: 6, expected: "',' or '}'")),
            ("{\"a\":1,}", .unexpectedByte(0x7D, offset: 7, expected: "a key in double quotes")),
            ("{a:1}", .unexpectedByte(0x61, offset: 1, expected: "a key in double quotes")),
            ("{\"a\" 1}", .unexpectedByte(0x31, offset: 5, expected: "':'")),
            ("{\"a\"", .unexpectedEnd(offset: 4, expected: "':'")),
            ("{\"a\":}", .unexpectedByte(0x7D, offset: 5, expected: "a value")),
            ("]", .unexpectedByte(0x5D, offset: 0, expected: "a value")),
            ("1 1", .trailingBytes(offset: 2)), ("{}x", .trailingBytes(offset: 2)),
            ("tru", .unexpectedEnd(offset: 3, expected: "true")),
            ("trUe", .unexpectedByte(0x55, offset: 2, expected: "true")),
            ("nullx", .trailingBytes(offset: 4)),
            ("NaN", .unexpectedByte(0x4E, offset: 0, expected: "a value")),
            ("'a'", .unexpectedByte(0x27, offset: 0, expected: "a value")),
            ("\"abc", .unexpectedEnd(offset: 4, expected: "'\"'")),
            ("\"a\nb\"", .controlCharacter(0x0A, offset: 2)),
            ("\"\\x\"", .invalidEscape(offset: 1)), ("\"\\u12G4\"", .invalidEscape(offset: 1)),
            ("\"\\u12", .unexpectedEnd(offset: 5, expected: "four hexadecimal digits")),
            ("\"\\", .unexpectedEnd(offset: 2, expected: "an escape")),
            ("\"\\uD800\"", .loneSurrogate(0xD800, offset: 1)),
            ("\"\\uDC00\"", .loneSurrogate(0xDC00, offset: 1)),
            ("\"\\uD800\\u0041\"", .loneSurrogate(0xD800, offset: 1)),
            ("\"\\uD800\\uD800\"", .loneSurrogate(0xD800, offset: 1)),
            ("01", .unexpectedByte(0x31, offset: 1, expected: "no digit after a leading zero")),
            ("-", .unexpectedEnd(offset: 1, expected: "a digit")),
            ("-a", .unexpectedByte(0x61, offset: 1, expected: "a digit")),
            ("+1", .unexpectedByte(0x2B, offset: 0, expected: "a value")),
            (".5", .unexpectedByte(0x2E, offset: 0, expected: "a value")),
            ("1.", .unexpectedEnd(offset: 2, expected: "a digit")),
            ("1.e1", .unexpectedByte(0x65, offset: 2, expected: "a digit")),
            ("1e", .unexpectedEnd(offset: 2, expected: "a digit")),
            ("1e+", .unexpectedEnd(offset: 3, expected: "a digit")),
            ("0x10", .trailingBytes(offset: 1)), ("1e400", .numberOutOfRange(offset: 0)),
            ("[-1e99999]", .numberOutOfRange(offset: 1)),
            ("\u{FEFF}1", .byteOrderMark), ("// c\n1", .unexpectedByte(0x2F, offset: 0, expected: "a value")),
            ("{\"a\":1,\"b\":2,\"a\":3}", .duplicateKey("a", offset: 13)),
            ("{\"x\":{\"a\":1,\"\\u0061\":3}}", .duplicateKey("a", offset: 12)),
        ] as [(String, JSONError)])
    func refuses(text: String, error: JSONError) {
        #expect(throws: error) { try parse(text) }
        #expect(error.description.hasPrefix("JSON"))
    }

    @Test(
        arguments: [
            ([0x80], 1), ([0xC3], 1), ([0xC0, 0xAF], 1), ([0x61, 0xE2, 0x82], 2), ([0xED, 0xA0, 0x80], 1),
            ([0xF4, 0x90, 0x80, 0x80], 1), ([0x61, 0x62, 0xFF], 3), ([0xF8, 0x88, 0x80, 0x80, 0x80], 1),
            ([0x5C, 0x6E, 0x61, 0xFE], 4),
        ] as [([UInt8], Int)])
    func refusesIllFormedUTF8(bytes: [UInt8], offset: Int) {
        #expect(throws: JSONError.invalidUTF8(offset: offset)) {
            try JSONValue(parsing: [0x22] + bytes + [0x22])
        }
    }

    @Test func depthIsLimitedWithoutRecursion() throws {
        let limits = JSONLimits(maxDepth: 3)
        #expect(try parse("[[[1]]]", limits) == [[[1]]])
        #expect(throws: JSONError.tooDeep(offset: 3, limit: 3)) { try parse("[[[[1]]]]", limits) }
        #expect(throws: JSONError.tooDeep(offset: 64, limit: 64)) {
            try parse(String(repeating: "[", count: 5_000_000))
        }
        let deepest = JSONLimits(maxDepth: .max)
        #expect(deepest.maxDepth == 1024)
        let nested = String(repeating: "{\"a\":", count: 1024) + "1" + String(repeating: "}", count: 1024)
        #expect(try parse(nested, deepest) == parse(nested, deepest))
    }

    @Test func lengthIsLimited() {
        #expect(throws: JSONError.tooLarge(count: 4, limit: 3)) { try parse("null", JSONLimits(maxBytes: 3)) }
        let digits = String(repeating: "1", count: 5000)
        #expect(throws: JSONError.numberTooLong(offset: 1, limit: 4096)) { try parse("[\(digits)]") }
    }

    @Test func repeatedKeysMayBeAllowed() throws {
        let limits = JSONLimits(rejectDuplicateKeys: false)
        let value = try parse("{\"a\":1,\"b\":2,\"a\":3}", limits)
        #expect(value == ["a": 3, "b": 2])
        #expect(value.objectValue?.keys == ["a", "b"])
    }

    @Test func keysAreToldApartByTheirBytes() throws {
        let value = try parse("{\"\\u00e9\":1,\"e\\u0301\":2}")
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
    }

    @Test func readsFromRawMemory() throws {
        let bytes = Array("  [1, \"é\"]".utf8)
        let value = try unsafe bytes.withUnsafeBytes { unsafe try JSONValue(parsing: $0) }
        #expect(value == [1, "é"])
        #expect(throws: JSONError.unexpectedEnd(offset: 0, expected: "a value")) {
            unsafe try JSONValue(parsing: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
