// SPDX-License-Identifier: Apache-2.0

/// Several scalar sets as bit maps, for constant-time tests.
///
/// Every set has 128 bits for ASCII and an index from pages of 256 scalars to bit maps; equal pages are stored once.
struct ScalarSetTable: Sendable {
    private(set) var count = 0
    private var sets: [ScalarSet] = []
    private var ascii: [UInt64] = []
    private var pageIndex: [UInt16] = []
    private var pages: [UInt64] = []
    private var knownPages: [SIMD4<UInt64>: UInt16] = [:]
    private var lastPage: (bits: SIMD4<UInt64>, number: UInt16)?

    static let maximumCount = 256
    private static let pagesPerSet = 0x1100

    /// The number of `set`, which is added unless an equal one is there. Nil when there are too many.
    mutating func insert(_ set: ScalarSet) -> Int? {
        if let index = sets.firstIndex(of: set) { return index }
        guard count < Self.maximumCount else { return nil }
        var range = 0
        for page in 0..<UInt32(Self.pagesPerSet) {
            let bits = Self.page(page, of: set, from: &range)
            guard let number = number(of: bits) else { return nil }
            pageIndex.append(number)
            if page == 0 { ascii += [bits[0], bits[1]] }
        }
        sets.append(set)
        count += 1
        return count - 1
    }

    /// The members of `set` in one page. `range` is the first range that may reach it.
    private static func page(_ page: UInt32, of set: ScalarSet, from range: inout Int) -> SIMD4<UInt64> {
        var bits = SIMD4<UInt64>.zero
        let (start, end) = (page << 8, page << 8 | 0xFF)
        while range < set.ranges.count && set.ranges[range].upperBound < start { range += 1 }
        var current = range
        while current < set.ranges.count && set.ranges[current].lowerBound <= end {
            let low = max(set.ranges[current].lowerBound, start) & 0xFF
            let high = min(set.ranges[current].upperBound, end) & 0xFF
            if high &- low == 0xFF { return SIMD4(repeating: .max) }
            for value in low...high { bits[Int(value >> 6)] |= 1 << UInt64(value & 63) }
            current += 1
        }
        return bits
    }

    private mutating func number(of bits: SIMD4<UInt64>) -> UInt16? {
        if let last = lastPage, last.bits == bits { return last.number }
        if let known = knownPages[bits] {
            lastPage = (bits, known)
            return known
        }
        guard let number = UInt16(exactly: pages.count / 4) else { return nil }
        pages += [bits[0], bits[1], bits[2], bits[3]]
        knownPages[bits] = number
        lastPage = (bits, number)
        return number
    }

    @inline(__always)
    func contains(_ set: Int, ascii byte: UInt8) -> Bool {
        ascii[set &* 2 &+ Int(byte &>> 6)] &>> UInt64(byte & 63) & 1 != 0
    }

    @inline(__always)
    func contains(_ set: Int, _ scalar: UInt32) -> Bool {
        let page = Int(pageIndex[set &* Self.pagesPerSet &+ Int(scalar &>> 8)])
        return pages[page &* 4 &+ Int((scalar &>> 6) & 3)] &>> UInt64(scalar & 63) & 1 != 0
    }

    /// The length of the scalar at `offset` when it is in the set, else 0; 0 too at the end of the text.
    @inline(__always)
    func matchLength(_ set: Int, _ text: Span<UInt8>, at offset: Int) -> Int {
        guard offset < text.count else { return 0 }
        let byte = text[offset]
        if byte < 0x80 { return contains(set, ascii: byte) ? 1 : 0 }
        let (value, length) = ScalarReader.scalar(text, at: offset)
        return contains(set, value) ? length : 0
    }
}
