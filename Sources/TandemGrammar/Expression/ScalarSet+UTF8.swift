// SPDX-License-Identifier: Apache-2.0

extension ScalarSet {
    /// The set as sequences of sets of bytes: a scalar is in the set when its UTF-8 is matched by one of them.
    var utf8Sequences: [[ByteSet]] {
        var sequences: [[ByteSet]] = []
        for range in ranges { Self.split(range, into: &sequences) }
        // Sequences that differ only in their first bytes become one.
        var merged: [[ByteSet]] = []
        var places: [[ByteSet]: Int] = [:]
        for sequence in sequences {
            let tail = Array(sequence.dropFirst())
            if let place = places[tail] {
                merged[place][0].formUnion(sequence[0])
            } else {
                places[tail] = merged.count
                merged.append(sequence)
            }
        }
        return merged
    }

    /// Splits a range until the bytes of its first and last scalar span it position by position.
    private static func split(_ range: ClosedRange<UInt32>, into sequences: inout [[ByteSet]]) {
        let (low, high) = (range.lowerBound, range.upperBound)
        for limit: UInt32 in [0x7F, 0x7FF, 0xFFFF] where low <= limit && high > limit {
            split(low...limit, into: &sequences)
            split(limit + 1...high, into: &sequences)
            return
        }
        let first = encoded(low)
        for position in 1..<max(first.count, 1) {
            let mask = (UInt32(1) << UInt32(6 * position)) - 1
            guard low & ~mask != high & ~mask else { continue }
            if low & mask != 0 {
                split(low...(low | mask), into: &sequences)
                split((low | mask) + 1...high, into: &sequences)
                return
            }
            if high & mask != mask {
                split(low...(high & ~mask) - 1, into: &sequences)
                split(high & ~mask...high, into: &sequences)
                return
            }
        }
        sequences.append(zip(first, encoded(high)).map { ByteSet($0...$1) })
    }

    private static func encoded(_ value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(UTF8.encode($0) ?? UTF8.encodedReplacementCharacter) } ?? []
    }
}

/// A set of bytes.
struct ByteSet: Sendable, Hashable {
    private var words = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))

    init(_ range: ClosedRange<UInt8>) {
        for byte in range { insert(byte) }
    }

    mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    mutating func formUnion(_ other: ByteSet) {
        words.0 |= other.words.0
        words.1 |= other.words.1
        words.2 |= other.words.2
        words.3 |= other.words.3
    }

    func contains(_ byte: UInt8) -> Bool {
        let word =
            switch byte >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return word >> UInt64(byte & 63) & 1 != 0
    }

    static func == (first: ByteSet, second: ByteSet) -> Bool { first.words == second.words }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
