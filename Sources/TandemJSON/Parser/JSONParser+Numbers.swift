// SPDX-License-Identifier: Apache-2.0

extension JSONParser {
    /// The longest number that is read: no double needs more than 767 digits to be told from its neighbours.
    static let maximumNumberLength = 4096

    /// Reads the number that starts at `position`.
    mutating func parseNumber(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = bytes[position] == UInt8(ascii: "-")
        if isNegative { position &+= 1 }

        let firstDigit = position
        try skipDigits(bytes)
        if bytes[firstDigit] == UInt8(ascii: "0") && position > firstDigit &+ 1 {
            throw .unexpectedByte(
                bytes[firstDigit &+ 1], offset: firstDigit &+ 1, expected: "no digit after a leading zero")
        }
        var isInteger = true
        if position < bytes.count && bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position &+= 1
            try skipDigits(bytes)
        }
        if position < bytes.count && bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position &+= 1
            if position < bytes.count
                && (bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-"))
            {
                position &+= 1
            }
            try skipDigits(bytes)
        }
        guard position - start <= Self.maximumNumberLength else {
            throw .numberTooLong(offset: start, limit: Self.maximumNumberLength)
        }
        if isInteger, let value = exactInteger(bytes, digits: firstDigit..<position, isNegative: isNegative) {
            return .integer(value)
        }
        guard let value = Double(try string(bytes, start..<position)), value.isFinite else {
            throw .numberOutOfRange(offset: start)
        }
        return .number(value)
    }

    /// The digits as a 64-bit integer; `nil` when it does not fit, and for -0, which only a float can hold.
    private func exactInteger(_ bytes: Span<UInt8>, digits: Range<Int>, isNegative: Bool) -> Int64? {
        var negated: Int64 = 0
        for offset in digits {
            let (scaled, scaleOverflow) = negated.multipliedReportingOverflow(by: 10)
            let (next, overflow) = scaled.subtractingReportingOverflow(Int64(bytes[offset] &- 0x30))
            if scaleOverflow || overflow { return nil }
            negated = next
        }
        if isNegative { return negated == 0 ? nil : negated }
        return negated == .min ? nil : -negated
    }

    private mutating func skipDigits(_ bytes: Span<UInt8>) throws(JSONError) {
        guard position < bytes.count else { throw .unexpectedEnd(offset: position, expected: "a digit") }
        guard bytes[position] >= 0x30 && bytes[position] <= 0x39 else {
            throw .unexpectedByte(bytes[position], offset: position, expected: "a digit")
        }
        while position < bytes.count && bytes[position] >= 0x30 && bytes[position] <= 0x39 {
            position &+= 1
        }
    }
}
