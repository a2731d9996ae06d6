// SPDX-License-Identifier: Apache-2.0

/// Unicode normalisation forms C, D, KC and KD (Unicode Standard Annex #15), without ICU.
enum UnicodeForm: Sendable {
    case composed, decomposed, compatibilityComposed, compatibilityDecomposed

    /// This form of valid UTF-8. Text without scalars from U+0300 on is in form C already, ASCII in all forms, and is
    /// not looked at twice.
    func apply(_ text: [UInt8]) -> [UInt8] {
        let safe: UInt8 = self == .composed ? 0xCC : 0x80
        if text.allSatisfy({ $0 < safe }) { return text }
        let isCompatible = self == .compatibilityComposed || self == .compatibilityDecomposed
        var scalars = Self.decomposedScalars(text, isCompatible: isCompatible)
        if self == .composed || self == .compatibilityComposed { Self.compose(&scalars) }
        return Self.encoded(scalars)
    }

    private static func decomposedScalars(_ text: [UInt8], isCompatible: Bool) -> [UInt32] {
        var scalars: [UInt32] = []
        scalars.reserveCapacity(text.count)
        let bytes = text.span
        var offset = 0
        while offset < bytes.count {
            let (value, length) = ScalarReader.scalar(bytes, at: offset)
            if value < 0xA0 {
                scalars.append(value)
            } else if isCompatible, let mapping = CompatibilityForm.mapping(of: value) {
                scalars.append(contentsOf: mapping)
            } else {
                appendDecomposition(of: value, to: &scalars)
            }
            offset &+= length
        }
        order(&scalars)
        return scalars
    }

    private static func appendDecomposition(of value: UInt32, to scalars: inout [UInt32]) {
        if Hangul.syllables.contains(value) {
            Hangul.appendDecomposition(of: value, to: &scalars)
            return
        }
        guard let (first, second) = mapping(of: value) else {
            scalars.append(value)
            return
        }
        appendDecomposition(of: first, to: &scalars)
        if second != 0 { appendDecomposition(of: second, to: &scalars) }
    }

    /// Sorts every run of combining marks by its combining class, keeping equals in order.
    private static func order(_ scalars: inout [UInt32]) {
        var start = 0
        while start < scalars.count {
            guard combiningClass(scalars[start]) != 0 else {
                start &+= 1
                continue
            }
            var end = start
            while end < scalars.count && combiningClass(scalars[end]) != 0 { end &+= 1 }
            if end &- start > 1 {
                let run = scalars[start..<end].map { (scalar: $0, rank: combiningClass($0)) }
                let sorted = run.enumerated().sorted {
                    ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset)
                }
                for (index, entry) in sorted.enumerated() { scalars[start &+ index] = entry.element.scalar }
            }
            start = end
        }
    }

    private static func compose(_ scalars: inout [UInt32]) {
        var output = 0
        var starter: Int?
        var lastClass: UInt8 = 0
        for index in scalars.indices {
            let scalar = scalars[index]
            let rank = combiningClass(scalar)
            if let position = starter {
                let isAdjacent = position &+ 1 == output
                if isAdjacent || (lastClass < rank && lastClass != 0) {
                    if let composed = composition(scalars[position], scalar) {
                        scalars[position] = composed
                        continue
                    }
                }
            }
            if rank == 0 { starter = output }
            lastClass = rank
            scalars[output] = scalar
            output &+= 1
        }
        scalars.removeLast(scalars.count &- output)
    }

    private static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        Hangul.composition(first, second) ?? pairs[UInt64(first) &<< 32 | UInt64(second)]
    }

    private static func mapping(of value: UInt32) -> (UInt32, UInt32)? {
        let table = CanonicalMappings.table
        var low = 0
        var high = table.count / 3
        while low < high {
            let middle = (low &+ high) / 2
            let key = table[middle &* 3] & 0x7FFF_FFFF
            if key == value { return (table[middle &* 3 &+ 1], table[middle &* 3 &+ 2]) }
            if key < value { low = middle &+ 1 } else { high = middle }
        }
        return nil
    }

    private static let pairs: [UInt64: UInt32] = {
        let table = CanonicalMappings.table
        var pairs: [UInt64: UInt32] = [:]
        for start in stride(from: 0, to: table.count, by: 3) where table[start] >> 31 == 1 {
            pairs[UInt64(table[start + 1]) << 32 | UInt64(table[start + 2])] = table[start] & 0x7FFF_FFFF
        }
        return pairs
    }()

    private static func combiningClass(_ value: UInt32) -> UInt8 {
        if value < 0x300 { return 0 }
        return Unicode.Scalar(value)?.properties.canonicalCombiningClass.rawValue ?? 0
    }

    private static func encoded(_ scalars: [UInt32]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(scalars.count &* 2)
        for value in scalars { append(value, to: &text) }
        return text
    }

    /// Appends a scalar in UTF-8.
    @inline(__always)
    static func append(_ value: UInt32, to text: inout [UInt8]) {
        if value < 0x80 {
            text.append(UInt8(truncatingIfNeeded: value))
        } else {
            let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }
}

/// Hangul syllables compose and decompose by arithmetic (Unicode Standard, section 3.12).
private enum Hangul {
    static let syllables: Range<UInt32> = 0xAC00..<0xAC00 + 11172
    static let leads: Range<UInt32> = 0x1100..<0x1100 + 19
    static let vowels: Range<UInt32> = 0x1161..<0x1161 + 21
    /// The first of these stands for no trailing consonant.
    static let trails: Range<UInt32> = 0x11A7..<0x11A7 + 28

    static func appendDecomposition(of value: UInt32, to scalars: inout [UInt32]) {
        let index = value - syllables.lowerBound
        scalars.append(leads.lowerBound + index / 588)
        scalars.append(vowels.lowerBound + index % 588 / 28)
        if index % 28 != 0 { scalars.append(trails.lowerBound + index % 28) }
    }

    static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if leads.contains(first) && vowels.contains(second) {
            let lead = first - leads.lowerBound
            return syllables.lowerBound + (lead * 21 + second - vowels.lowerBound) * 28
        }
        let index = first &- syllables.lowerBound
        if syllables.contains(first) && index % 28 == 0 && trails.dropFirst().contains(second) {
            return first + second - trails.lowerBound
        }
        return nil
    }
}
