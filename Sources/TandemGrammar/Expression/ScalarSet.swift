// SPDX-License-Identifier: Apache-2.0

/// A set of Unicode scalars: ranges in order that neither touch nor overlap. Surrogates are never in it.
struct ScalarSet: Sendable, Hashable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    static let largest: UInt32 = 0x10FFFF
    private static let surrogates: ClosedRange<UInt32> = 0xD800...0xDFFF

    /// Every scalar.
    static let all = ScalarSet([0...largest])

    init(_ ranges: [ClosedRange<UInt32>] = []) {
        var parts: [ClosedRange<UInt32>] = []
        for range in ranges {
            if range.lowerBound < Self.surrogates.lowerBound {
                parts.append(range.lowerBound...min(range.upperBound, Self.surrogates.lowerBound - 1))
            }
            if range.upperBound > Self.surrogates.upperBound {
                parts.append(max(range.lowerBound, Self.surrogates.upperBound + 1)...range.upperBound)
            }
        }
        parts.sort { $0.lowerBound < $1.lowerBound }
        for part in parts {
            if let last = self.ranges.last, part.lowerBound <= last.upperBound + 1 {
                self.ranges[self.ranges.count - 1] = last.lowerBound...max(last.upperBound, part.upperBound)
            } else {
                self.ranges.append(part)
            }
        }
    }

    /// The scalars of a text.
    init(of text: String) { self.init(text.unicodeScalars.map { $0.value...$0.value }) }

    var isEmpty: Bool { ranges.isEmpty }

    /// Every scalar that is not in the set.
    var inverted: ScalarSet {
        var rest: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { rest.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= Self.largest { rest.append(next...Self.largest) }
        return ScalarSet(rest)
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    func intersection(_ other: ScalarSet) -> ScalarSet { inverted.union(other.inverted).inverted }

    func subtracting(_ other: ScalarSet) -> ScalarSet { intersection(other.inverted) }

    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }
}
