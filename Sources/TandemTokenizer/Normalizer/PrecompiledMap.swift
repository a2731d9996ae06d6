// SPDX-License-Identifier: Apache-2.0

/// A character map of SentencePiece: a double array over byte strings, and what each of them becomes.
///
/// The array is followed with bounds checks at every step, so that any bytes are safe.
struct PrecompiledMap: Sendable {
    enum Matching: Sendable {
        /// As Hugging Face has it: a grapheme cluster of up to five bytes is replaced as a whole by what its shortest
        /// prefix in the map becomes; of any other every scalar is.
        case clusters
        /// As SentencePiece has it: the longest prefix in the map from wherever the last one ended.
        case longest
    }

    private let units: [UInt32]
    private let texts: [UInt8]
    private let matching: Matching
    /// Where the replacement of each ASCII character begins, -1 where there is none.
    private var ascii: [Int32] = []

    /// Reads the map; nil when its parts do not fit its length.
    init?(_ bytes: [UInt8], matching: Matching) {
        guard bytes.count >= 4 else { return nil }
        let size = Int(Self.number(bytes, at: 0))
        guard size > 0, size % 4 == 0, size <= bytes.count - 4 else { return nil }
        units = stride(from: 4, to: 4 + size, by: 4).map { Self.number(bytes, at: $0) }
        texts = Array(bytes[(4 + size)...])
        self.matching = matching
        ascii = (0..<0x80).map { byte in
            let text = [UInt8(byte)]
            return Int32(truncatingIfNeeded: match(text.span, from: 0, shortest: true)?.replacement ?? -1)
        }
    }

    private static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
    }

    /// The normalised form of valid UTF-8.
    func apply(_ text: [UInt8]) -> [UInt8] {
        matching == .longest ? longest(text) : clusters(text)
    }

    private func longest(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        let bytes = text.span
        var offset = 0
        while offset < bytes.count {
            if let (replacement, end) = match(bytes, from: offset, shortest: false) {
                append(replacement, to: &result)
                offset = end
            } else {
                let length = min(ScalarReader.length(bytes[offset]), bytes.count &- offset)
                for index in offset..<offset &+ length { result.append(bytes[index]) }
                offset &+= length
            }
        }
        return result
    }

    private func clusters(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var offset = 0
        while offset < text.count {
            let byte = text[offset]
            let next = offset &+ 1 < text.count ? text[offset &+ 1] : 0
            // Between two ASCII characters clusters end, but inside CR LF.
            if byte < 0x80 && next < 0x80 && byte != 0x0D {
                if ascii[Int(byte)] >= 0 {
                    append(Int(ascii[Int(byte)]), to: &result)
                } else {
                    result.append(byte)
                }
                offset &+= 1
                continue
            }
            let end = endOfMixed(text, from: offset)
            for character in String(decoding: text[offset..<end], as: UTF8.self) {
                appendCluster(Array(character.utf8), to: &result)
            }
            offset = end
        }
        return result
    }

    /// The end of a stretch behind which a cluster ends for certain: behind an ASCII character before another.
    private func endOfMixed(_ text: [UInt8], from start: Int) -> Int {
        var offset = start &+ 1
        while offset < text.count {
            if text[offset] < 0x80 && text[offset &- 1] < 0x80 && text[offset &- 1] != 0x0D { return offset }
            offset &+= 1
        }
        return offset
    }

    private func appendCluster(_ cluster: [UInt8], to result: inout [UInt8]) {
        let bytes = cluster.span
        if cluster.count < 6, let (replacement, _) = match(bytes, from: 0, shortest: true) {
            append(replacement, to: &result)
            return
        }
        var offset = 0
        while offset < bytes.count {
            let length = ScalarReader.length(bytes[offset])
            let scalar = bytes.extracting(offset..<min(offset &+ length, bytes.count))
            if let (replacement, _) = match(scalar, from: 0, shortest: true) {
                append(replacement, to: &result)
            } else {
                for index in 0..<scalar.count { result.append(scalar[index]) }
            }
            offset &+= length
        }
    }

    /// The shortest or longest entry that `text` begins with at `start`: where its replacement begins, and its end.
    private func match(
        _ text: Span<UInt8>, from start: Int, shortest: Bool
    ) -> (replacement: Int, end: Int)? {
        var found: (replacement: Int, end: Int)?
        var node = Self.offset(of: units[0])
        var offset = start
        while offset < text.count {
            let byte = text[offset]
            node ^= Int(byte)
            guard byte != 0, node < units.count else { break }
            let unit = units[node]
            guard unit & 0x8000_00FF == UInt32(byte) else { break }
            node ^= Self.offset(of: unit)
            offset &+= 1
            if unit >> 8 & 1 == 1 {
                guard node < units.count else { break }
                found = (Int(units[node] & 0x7FFF_FFFF), offset)
                if shortest { break }
            }
        }
        return found
    }

    private static func offset(of unit: UInt32) -> Int {
        Int(unit >> 10) << Int((unit & 1 << 9) >> 6)
    }

    /// Appends the replacement, which ends before a zero byte.
    private func append(_ replacement: Int, to result: inout [UInt8]) {
        var index = replacement
        while index < texts.count && texts[index] != 0 {
            result.append(texts[index])
            index &+= 1
        }
    }
}
