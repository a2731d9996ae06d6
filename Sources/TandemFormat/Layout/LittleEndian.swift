// SPDX-License-Identifier: Apache-2.0

/// Bytes of a structure read from a file, with the file offset they came from.
package struct FileBytes {
    package let bytes: [UInt8]
    package let fileOffset: Int

    package init(bytes: [UInt8], fileOffset: Int) {
        self.bytes = bytes
        self.fileOffset = fileOffset
    }

    /// The little-endian integer at `offset`; the caller has checked that it lies inside.
    package func integer<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type, at offset: Int) -> T {
        var value: T = 0
        for index in (0..<MemoryLayout<T>.size).reversed() { value = value << 8 | T(bytes[offset + index]) }
        return value
    }

    package func u16(at offset: Int) -> UInt16 { integer(UInt16.self, at: offset) }
    package func u32(at offset: Int) -> UInt32 { integer(UInt32.self, at: offset) }
    package func u64(at offset: Int) -> UInt64 { integer(UInt64.self, at: offset) }

    /// An unsigned 64-bit length or offset as an `Int`.
    package func length(at offset: Int, field: String) throws(FormatError) -> Int {
        let value = u64(at: offset)
        guard let result = Int(exactly: value) else {
            throw .invalidField(
                name: field, offset: fileOffset + offset, reason: "\(value) is larger than any file")
        }
        return result
    }

    package func requireZero(_ range: Range<Int>, field: String) throws(FormatError) {
        for index in range where bytes[index] != 0 {
            throw .invalidField(
                name: field, offset: fileOffset + index, reason: "reserved byte is \(bytes[index]), not 0")
        }
    }
}

extension Array where Element == UInt8 {
    /// Writes a little-endian integer over the bytes at `offset`.
    package mutating func store<T: FixedWidthInteger & UnsignedInteger>(_ value: T, at offset: Int) {
        for index in 0..<MemoryLayout<T>.size {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * T(index)))
        }
    }
}

/// `value` rounded up to a multiple of `alignment`, a power of two; the caller has bounded `value`.
func roundUp(_ value: Int, to alignment: Int) -> Int { (value + alignment - 1) & ~(alignment - 1) }

/// `offset + length`, or nil when that does not fit.
func end(_ offset: Int, _ length: Int) -> Int? {
    let (sum, overflow) = offset.addingReportingOverflow(length)
    return overflow ? nil : sum
}
