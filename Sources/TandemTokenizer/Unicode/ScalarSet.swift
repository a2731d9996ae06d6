// SPDX-License-Identifier: Apache-2.0

/// A set of Unicode scalars: sorted ranges that neither touch nor overlap.
///
/// Made while a pattern is read; ``ScalarSetTable`` answers quickly what is in it.
struct ScalarSet: Sendable, Equatable {
    /// One more than the largest scalar.
    static let limit: UInt32 = 0x11_0000
    static let all = ScalarSet([0...limit - 1])

    private(set) var ranges: [ClosedRange<UInt32>]

    init() { ranges = [] }

    init(_ ranges: [ClosedRange<UInt32>]) {
        self.ranges = Self.merged(ranges)
    }

    init(_ scalar: UInt32) { ranges = [scalar...scalar] }

    var isEmpty: Bool { ranges.isEmpty }

    /// The only member, when there is only one.
    var single: UInt32? {
        ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil
    }

    /// Whether `scalar` is in the set. O(log ranges).
    func contains(_ scalar: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low &+ high) / 2
            if ranges[middle].contains(scalar) { return true }
            if ranges[middle].upperBound < scalar { low = middle &+ 1 } else { high = middle }
        }
        return false
    }

    func union(_ other: ScalarSet) -> ScalarSet {
        if other.isEmpty { return self }
        if isEmpty { return other }
        return ScalarSet(ranges + other.ranges)
    }

    var inverted: ScalarSet {
        var result = ScalarSet()
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { result.ranges.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next < Self.limit { result.ranges.append(next...Self.limit - 1) }
        return result
    }

    func intersection(_ other: ScalarSet) -> ScalarSet {
        inverted.union(other.inverted).inverted
    }

    private static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}

extension ScalarSet {
    /// The set with every scalar that differs from a member in case only (simple case folding).
    var caseInsensitive: ScalarSet {
        let table = CaseFoldings.table
        var folded = ScalarSet.foldedForms(self)
        folded = folded.union(self)
        var extra: [ClosedRange<UInt32>] = []
        for index in stride(from: 0, to: table.count, by: 2) where folded.contains(table[index + 1]) {
            extra.append(table[index]...table[index])
        }
        return folded.union(ScalarSet(extra))
    }

    private static func foldedForms(_ set: ScalarSet) -> ScalarSet {
        let table = CaseFoldings.table
        var result: [ClosedRange<UInt32>] = []
        for index in stride(from: 0, to: table.count, by: 2) where set.contains(table[index]) {
            result.append(table[index + 1]...table[index + 1])
        }
        return ScalarSet(result)
    }
}
