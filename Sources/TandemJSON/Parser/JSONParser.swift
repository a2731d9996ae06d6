// SPDX-License-Identifier: Apache-2.0

/// A strict RFC 8259 parser over bytes.
///
/// Open containers live on explicit stacks, so the depth of a text costs heap and never stack. Finished
/// values wait on one value stack until their container closes and takes them in a single allocation.
struct JSONParser {
    private struct Frame {
        let isObject: Bool
        let firstValue: Int
        let firstKey: Int
    }

    let limits: JSONLimits
    var position = 0
    private var values: [JSONValue] = []
    private var keys: [String] = []
    private var keyOffsets: [Int] = []
    private var frames: [Frame] = []

    init(limits: JSONLimits) {
        self.limits = limits
    }

    mutating func parse(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        if let limit = limits.maxBytes, bytes.count > limit {
            throw .tooLarge(count: bytes.count, limit: limit)
        }
        if bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF {
            throw .byteOrderMark
        }
        while true {
            try parseValueOrOpen(bytes)
            if try closeContainers(bytes) { break }
        }
        skipWhiteSpace(bytes)
        if position < bytes.count { throw .trailingBytes(offset: position) }
        return values[0]
    }

    /// Reads up to the next complete scalar or empty container, opening containers on the way.
    private mutating func parseValueOrOpen(_ bytes: Span<UInt8>) throws(JSONError) {
        while true {
            switch try next(bytes, expected: "a value") {
            case UInt8(ascii: "{"):
                try open(isObject: true)
                if try next(bytes, expected: "a key or '}'") == UInt8(ascii: "}") { return }
                try parseKey(bytes)
            case UInt8(ascii: "["):
                try open(isObject: false)
                if try next(bytes, expected: "a value or ']'") == UInt8(ascii: "]") { return }
            case UInt8(ascii: "\""):
                values.append(.string(try parseString(bytes)))
                return
            case UInt8(ascii: "t"):
                try parseLiteral("true", bytes)
                values.append(.bool(true))
                return
            case UInt8(ascii: "f"):
                try parseLiteral("false", bytes)
                values.append(.bool(false))
                return
            case UInt8(ascii: "n"):
                try parseLiteral("null", bytes)
                values.append(.null)
                return
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                values.append(try parseNumber(bytes))
                return
            case let byte:
                throw .unexpectedByte(byte, offset: position, expected: "a value")
            }
        }
    }

    /// Closes what ends here and steps over the comma before the next value. True when the text's value is
    /// complete.
    private mutating func closeContainers(_ bytes: Span<UInt8>) throws(JSONError) -> Bool {
        while let frame = frames.last {
            let expected = frame.isObject ? "',' or '}'" : "',' or ']'"
            let byte = try next(bytes, expected: expected)
            if byte == UInt8(ascii: ",") && values.count > frame.firstValue {
                position &+= 1
                if frame.isObject {
                    _ = try next(bytes, expected: "a key")
                    try parseKey(bytes)
                }
                return false
            }
            guard byte == (frame.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                throw .unexpectedByte(byte, offset: position, expected: expected)
            }
            position &+= 1
            frames.removeLast()
            try close(frame)
        }
        return true
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        if frames.count >= limits.maxDepth { throw .tooDeep(offset: position, limit: limits.maxDepth) }
        frames.append(Frame(isObject: isObject, firstValue: values.count, firstKey: keys.count))
        position &+= 1
    }

    private mutating func close(_ frame: Frame) throws(JSONError) {
        let count = values.count - frame.firstValue
        let finished: JSONValue
        if frame.isObject {
            var members: [JSONObject.Member] = []
            members.reserveCapacity(count)
            for step in 0..<count {
                members.append(
                    .init(key: keys[frame.firstKey &+ step], value: values[frame.firstValue &+ step]))
            }
            finished = .object(try object(of: members, firstKey: frame.firstKey))
            keys.removeLast(count)
            keyOffsets.removeLast(count)
        } else {
            finished = .array(Array(values[frame.firstValue...]))
        }
        values.removeLast(count)
        values.append(finished)
    }

    private func object(of members: [JSONObject.Member], firstKey: Int) throws(JSONError) -> JSONObject {
        var duplicate: Int?
        let object = JSONObject(parsed: members, firstDuplicate: &duplicate)
        guard let duplicate else { return object }
        if limits.rejectDuplicateKeys {
            throw .duplicateKey(members[duplicate].key, offset: keyOffsets[firstKey + duplicate])
        }
        return JSONObject(members)
    }

    private mutating func parseKey(_ bytes: Span<UInt8>) throws(JSONError) {
        guard bytes[position] == UInt8(ascii: "\"") else {
            throw .unexpectedByte(bytes[position], offset: position, expected: "a key in double quotes")
        }
        keyOffsets.append(position)
        keys.append(try parseString(bytes))
        let byte = try next(bytes, expected: "':'")
        guard byte == UInt8(ascii: ":") else {
            throw .unexpectedByte(byte, offset: position, expected: "':'")
        }
        position &+= 1
    }

    private mutating func parseLiteral(_ literal: StaticString, _ bytes: Span<UInt8>) throws(JSONError) {
        for expected in literal.description.utf8 {
            guard position < bytes.count else {
                throw .unexpectedEnd(offset: position, expected: literal.description)
            }
            guard bytes[position] == expected else {
                throw .unexpectedByte(bytes[position], offset: position, expected: literal.description)
            }
            position &+= 1
        }
    }

    /// The next byte that is not white space, left unread.
    private mutating func next(_ bytes: Span<UInt8>, expected: String) throws(JSONError) -> UInt8 {
        skipWhiteSpace(bytes)
        guard position < bytes.count else { throw .unexpectedEnd(offset: position, expected: expected) }
        return bytes[position]
    }

    private mutating func skipWhiteSpace(_ bytes: Span<UInt8>) {
        while position < bytes.count {
            let byte = bytes[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            position &+= 1
        }
    }
}
