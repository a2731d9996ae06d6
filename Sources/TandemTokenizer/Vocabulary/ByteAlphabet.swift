// SPDX-License-Identifier: Apache-2.0

/// The byte-level alphabet of GPT-2: every byte has a printable character that stands for it in vocabularies.
///
/// Printable Latin-1 characters stand for themselves; the 68 other bytes take U+0100 and on, in order.
enum ByteAlphabet {
    /// The scalar of each byte.
    static let scalars: [UInt32] = {
        var table = [UInt32](repeating: 0, count: 256)
        var next: UInt32 = 0x100
        for byte in 0..<256 {
            if isSelf(UInt32(byte)) {
                table[byte] = UInt32(byte)
            } else {
                table[byte] = next
                next += 1
            }
        }
        return table
    }()

    /// The byte of each scalar below U+0144, or -1.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        for byte in 0..<256 { table[Int(scalars[byte])] = Int16(byte) }
        return table
    }()

    /// The text that stands for `byte`.
    static func text(of byte: UInt8) -> String {
        String(Character(Unicode.Scalar(scalars[Int(byte)]) ?? "\u{FFFD}"))
    }

    /// The bytes a token stands for, or `nil` when one of its characters is not of the alphabet.
    static func bytes(of token: some Collection<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(token.count)
        var lead: Int?
        for unit in token {
            var value = Int(unit)
            if let high = lead {
                guard unit & 0xC0 == 0x80 else { return nil }
                value = (high & 0x1F) << 6 | value & 0x3F
                lead = nil
            } else if unit >= 0x80 {
                // Beyond two bytes a scalar is not of the alphabet.
                guard unit >= 0xC2 && unit < 0xE0 else { return nil }
                lead = value
                continue
            }
            guard value < 0x144, bytes[value] >= 0 else { return nil }
            result.append(UInt8(truncatingIfNeeded: bytes[value]))
        }
        return lead == nil ? result : nil
    }

    /// Every byte of `text` as the character that stands for it.
    static func spelt(_ text: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count &* 2)
        for byte in text { UnicodeForm.append(scalars[Int(byte)], to: &result) }
        return result
    }

    private static func isSelf(_ byte: UInt32) -> Bool {
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
    }
}
