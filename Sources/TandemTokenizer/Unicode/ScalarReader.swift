// SPDX-License-Identifier: Apache-2.0

/// Reads scalars and their classes from valid UTF-8. Beyond the end everything has no class and length 0.
enum ScalarReader {
    /// The class of the scalar at `offset` and its length in bytes.
    @inline(__always)
    static func scalarClass(
        _ text: Span<UInt8>, at offset: Int, ascii: [ScalarClass]
    ) -> (scalarClass: ScalarClass, length: Int) {
        guard offset < text.count else { return ([], 0) }
        let byte = text[offset]
        if byte < 0x80 { return (ascii[Int(byte)], 1) }
        let (value, length) = scalar(text, at: offset)
        return (ScalarClass.of(value), length)
    }

    /// The scalar at `offset`, which is inside the text, and its length in bytes.
    static func scalar(_ text: Span<UInt8>, at offset: Int) -> (value: UInt32, length: Int) {
        let byte = UInt32(text[offset])
        if byte < 0x80 { return (byte, 1) }
        let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
        guard offset &+ length <= text.count else { return (0xFFFD, text.count &- offset) }
        var value = byte & (0x7F &>> UInt32(truncatingIfNeeded: length))
        for step in 1..<length { value = value &<< 6 | UInt32(text[offset &+ step] & 0x3F) }
        return (value, length)
    }

    /// The length of the scalar that begins with this byte.
    @inline(__always)
    static func length(_ byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }

    /// The start of the scalar that ends at `offset`, which is greater than 0.
    static func start(ofScalarEndingAt offset: Int, _ text: Span<UInt8>) -> Int {
        var start = offset &- 1
        while start > 0 && text[start] & 0xC0 == 0x80 { start &-= 1 }
        return start
    }
}
