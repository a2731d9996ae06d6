// SPDX-License-Identifier: Apache-2.0

/// How tokens become text again: a rule for each token on its own, and what happens at the start of a text.
///
/// Every token has its bytes, whatever stands around it, but for the first token or the first bytes of a
/// text. So a text decodes piece by piece, and ``StreamingDetokenizer`` needs no look-ahead.
struct TokenDecoder: Sendable {
    enum Step: Sendable {
        /// Byte-level alphabet to bytes; a token with other characters stands for itself.
        case byteLevel
        /// `<0x0A>` to the byte 0A.
        case byteFallback
        case replace(pattern: [UInt8], content: [UInt8])
        case replaceMatches(SplitPattern, content: [UInt8])
        /// Up to `count` of this scalar at the start of each token.
        case stripEach(scalar: [UInt8], count: Int)
        /// Drops this text from the first token and makes it a space in all others.
        case metaspace(replacement: [UInt8], stripsFirst: Bool)
    }

    var steps: [Step] = []
    /// Up to `count` of this scalar at the start of the whole text.
    var stripStart: (scalar: [UInt8], count: Int)?
    /// Stands between tokens.
    var separator: [UInt8] = []

    /// The bytes of a token, as the first of a text or a later one.
    func bytes(of token: [UInt8], isFirst: Bool) -> [UInt8] {
        var bytes = token
        for step in steps {
            switch step {
            case .byteLevel:
                bytes = ByteAlphabet.bytes(of: bytes) ?? bytes
            case .byteFallback:
                if let byte = Self.fallbackByte(bytes) { bytes = [byte] }
            case .replace(let pattern, let content):
                bytes = ByteReplacement.replacing(pattern, with: content, in: bytes)
            case .replaceMatches(let pattern, let content):
                bytes = ByteReplacement.replacing(pattern, with: content, in: bytes)
            case .stripEach(let scalar, let count):
                for _ in 0..<count where bytes.starts(with: scalar) { bytes.removeFirst(scalar.count) }
            case .metaspace(let replacement, let stripsFirst):
                let content: [UInt8] = isFirst && stripsFirst ? [] : [0x20]
                bytes = ByteReplacement.replacing(replacement, with: content, in: bytes)
            }
        }
        return bytes
    }

    /// Whether the first token of a text may differ from the same token later.
    var treatsFirstTokenApart: Bool {
        steps.contains { if case .metaspace(_, stripsFirst: true) = $0 { true } else { false } }
    }

    /// The byte that a token like `<0x0A>` stands for.
    static func fallbackByte(_ token: some Collection<UInt8>) -> UInt8? {
        let bytes = Array(token)
        guard bytes.count == 6, bytes.starts(with: [0x3C, 0x30, 0x78]), bytes[5] == 0x3E,
            let high = hexDigit(bytes[3]), let low = hexDigit(bytes[4])
        else { return nil }
        return high << 4 | low
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
