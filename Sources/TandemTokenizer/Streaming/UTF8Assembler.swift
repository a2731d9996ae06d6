// SPDX-License-Identifier: Apache-2.0

/// Turns bytes that arrive in pieces into text, holding back the start of a scalar that is not complete.
///
/// Ill-formed bytes become U+FFFD exactly as when all bytes are decoded at once.
struct UTF8Assembler: Sendable {
    private var pending: [UInt8] = []

    /// The text that is certain after these bytes.
    mutating func append(_ bytes: some Collection<UInt8>) -> String {
        pending.append(contentsOf: bytes)
        let held = Self.incompleteSuffix(pending)
        if held == pending.count { return "" }
        let text = String(decoding: pending.dropLast(held), as: UTF8.self)
        pending.removeFirst(pending.count - held)
        return text
    }

    /// The text of what is held back, which nothing will complete any more.
    mutating func finish() -> String {
        let text = String(decoding: pending, as: UTF8.self)
        pending.removeAll()
        return text
    }

    /// How many bytes at the end are the beginning of a well-formed scalar (Unicode Standard, table 3-7).
    private static func incompleteSuffix(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead < 0x80 { return 0 }
            if lead < 0xC0 { continue }
            let needed = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
            guard lead >= 0xC2, lead <= 0xF4, length < needed else { return 0 }
            if length == 1 { return 1 }
            let second = bytes[bytes.count - length + 1]
            let allowed: ClosedRange<UInt8> =
                switch lead {
                case 0xE0: 0xA0...0xBF
                case 0xED: 0x80...0x9F
                case 0xF0: 0x90...0xBF
                case 0xF4: 0x80...0x8F
                default: 0x80...0xBF
                }
            return allowed.contains(second) ? length : 0
        }
        return 0
    }
}
