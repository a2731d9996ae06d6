// SPDX-License-Identifier: Apache-2.0

/// The types of metadata values, by their numbers in the file.
package enum GGUFValueType: UInt32, Sendable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// Bytes of a value; nil for strings and arrays, whose length stands in the file.
    var length: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// The fewest bytes that a value takes in a file.
    var smallestLength: Int { length ?? (self == .string ? 8 : 12) }
}

/// A metadata value.
///
/// Texts are bytes: a file may hold any, and only who needs characters asks whether they are valid UTF-8.
package indirect enum GGUFValue: Sendable, Equatable {
    /// Any of the integer types; `type` is kept for keys whose type matters.
    case integer(GGUFInteger, type: GGUFValueType)
    case float(Double)
    case bool(Bool)
    case string([UInt8])
    case array(GGUFArray)

    /// The integer, when it is one that fits.
    package var intValue: Int? {
        guard case .integer(let value, _) = self else { return nil }
        return value.intValue
    }

    /// The number, exact for integers up to 2⁵³.
    package var doubleValue: Double? {
        switch self {
        case .float(let value): value
        case .integer(let value, _): value.doubleValue
        default: nil
        }
    }

    package var boolValue: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    package var bytes: [UInt8]? {
        guard case .string(let bytes) = self else { return nil }
        return bytes
    }

    package var arrayValue: GGUFArray? {
        guard case .array(let array) = self else { return nil }
        return array
    }
}

/// A signed or unsigned integer of 64 bits.
package enum GGUFInteger: Sendable, Equatable {
    case signed(Int64)
    case unsigned(UInt64)

    package var intValue: Int? {
        switch self {
        case .signed(let value): Int(exactly: value)
        case .unsigned(let value): Int(exactly: value)
        }
    }

    package var doubleValue: Double {
        switch self {
        case .signed(let value): Double(value)
        case .unsigned(let value): Double(value)
        }
    }
}

/// The elements of an array, stored as compactly as in the file.
package struct GGUFArray: Sendable, Equatable {
    package let type: GGUFValueType
    package let count: Int
    /// Elements of fixed length as they stand in the file, or the bytes of all strings, one after the other.
    fileprivate(set) var bytes: [UInt8] = []
    /// Where each string ends in `bytes`.
    fileprivate(set) var ends: [Int] = []
    /// The elements of an array of arrays.
    fileprivate(set) package var arrays: [GGUFArray] = []

    /// All strings, as bytes; nil for other elements.
    package var strings: [[UInt8]]? {
        guard type == .string else { return nil }
        var start = 0
        return ends.map { end in
            defer { start = end }
            return Array(bytes[start..<end])
        }
    }

    /// The elements of an array of bytes (of either sign), as they are.
    package var rawBytes: [UInt8]? { type == .uint8 || type == .int8 ? bytes : nil }

    /// Element `index` of numbers or truth values; nil for strings and arrays.
    package func value(at index: Int) -> GGUFValue? {
        guard let length = type.length else { return nil }
        return GGUFValue(type: type, bytes: bytes[index * length..<(index + 1) * length])
    }

    /// All elements as integers; nil when one is none, or is too large.
    package var integers: [Int]? { elements { $0.intValue } }

    /// All elements as floats; nil when one is no number.
    package var floats: [Float]? { elements { $0.doubleValue.map { Float($0) } } }

    /// All elements as truth values; nil when one is none.
    package var bools: [Bool]? { elements { $0.boolValue } }

    private func elements<T>(_ convert: (GGUFValue) -> T?) -> [T]? {
        guard type.length != nil else { return nil }
        var result: [T] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            guard let element = value(at: index).flatMap(convert) else { return nil }
            result.append(element)
        }
        return result
    }
}

extension GGUFValue {
    /// A value of fixed length; nil for strings and arrays.
    fileprivate init?(type: GGUFValueType, bytes: some Collection<UInt8>) {
        let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch type {
        case .uint8, .uint16, .uint32, .uint64: self = .integer(.unsigned(bits), type: type)
        case .int8: self = .integer(.signed(Int64(Int8(truncatingIfNeeded: bits))), type: type)
        case .int16: self = .integer(.signed(Int64(Int16(truncatingIfNeeded: bits))), type: type)
        case .int32: self = .integer(.signed(Int64(Int32(truncatingIfNeeded: bits))), type: type)
        case .int64: self = .integer(.signed(Int64(bitPattern: bits)), type: type)
        case .float32: self = .float(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
        case .float64: self = .float(Double(bitPattern: bits))
        case .bool: self = .bool(bits != 0)
        case .string, .array: return nil
        }
    }
}

extension GGUFCursor {
    /// Arrays inside arrays, the outermost included.
    static let nestingLimit = 8

    /// The value of `key`, its type in front of it.
    mutating func value(key: String) throws(PackError) -> GGUFValue {
        let type = try valueType(key: key)
        switch type {
        case .string: return .string(try text("the value of metadata '\(key)'"))
        case .array: return .array(try array(key: key, depth: 1))
        default:
            let bytes = try bytes(type.length ?? 0, "the value of metadata '\(key)'")
            guard let value = GGUFValue(type: type, bytes: bytes) else {
                throw failure(.unknownValueType(key: key, offset: offset, type: type.rawValue))
            }
            return value
        }
    }

    private mutating func valueType(key: String) throws(PackError) -> GGUFValueType {
        let start = offset
        let number = try integer(UInt32.self, "the type of metadata '\(key)'")
        guard let type = GGUFValueType(rawValue: number) else {
            throw failure(.unknownValueType(key: key, offset: start, type: number))
        }
        return type
    }

    private mutating func array(key: String, depth: Int) throws(PackError) -> GGUFArray {
        let start = offset
        guard depth <= GGUFCursor.nestingLimit else {
            throw failure(
                .nestingTooDeep(key: key, offset: start, limit: GGUFCursor.nestingLimit))
        }
        let type = try valueType(key: key)
        let field = "the array of metadata '\(key)'"
        let length = try integer(UInt64.self, field)
        guard length <= UInt64(remaining / type.smallestLength) else {
            throw failure(.lengthBeyondEnd(field: field, offset: start, length: length, remaining: remaining))
        }
        let count = Int(length)
        var array = GGUFArray(type: type, count: count)
        if let length = type.length {
            array.bytes = try bytes(count * length, field)
        } else if type == .string {
            array.ends.reserveCapacity(count)
            for _ in 0..<count {
                array.bytes += try text("a text of metadata '\(key)'")
                array.ends.append(array.bytes.count)
            }
        } else {
            for _ in 0..<count { array.arrays.append(try self.array(key: key, depth: depth + 1)) }
        }
        return array
    }
}
