// SPDX-License-Identifier: Apache-2.0

/// Reads the wire format of protocol buffers, one field after the other, without copying.
///
/// Every length is checked against what is left, so that any bytes are safe.
struct ProtobufReader {
    enum Value {
        case integer(UInt64)
        /// Four bytes, such as a float.
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// Where the next field begins.
    var offset: Int { rest.startIndex }

    /// The next field, nil at the end.
    /// - Throws: ``ProtobufError`` with the offset of what is wrong.
    mutating func next() throws(ProtobufError) -> (number: UInt64, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let start = rest.startIndex
        let key = try varint()
        switch key & 7 {
        case 0: return (key >> 3, .integer(try varint()))
        case 1: return (key >> 3, .bytes(try take(8)))
        case 2:
            let length = try varint()
            guard length <= UInt64(rest.count) else { throw ProtobufError(offset: start) }
            return (key >> 3, .bytes(try take(Int(length))))
        case 5:
            let bytes = try take(4)
            return (key >> 3, .fixed32(bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }))
        default: throw ProtobufError(offset: start)
        }
    }

    private mutating func take(_ count: Int) throws(ProtobufError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw ProtobufError(offset: rest.startIndex) }
        let result = rest.prefix(count)
        rest = rest.dropFirst(count)
        return result
    }

    private mutating func varint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        let start = rest.startIndex
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw ProtobufError(offset: start)
    }
}

/// A message is damaged or ends too early.
struct ProtobufError: Error, Equatable {
    let offset: Int
}
