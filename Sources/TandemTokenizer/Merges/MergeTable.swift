// SPDX-License-Identifier: Apache-2.0

/// Merges by their pair of token ids: open addressing, 16 bytes a slot.
///
/// The hash is multiplicative with a multiplier drawn per table, so that pairs cannot be chosen to collide.
struct MergeTable: Sendable {
    /// What a pair becomes. Lower ranks merge first.
    struct Merge: Sendable {
        var rank: UInt32
        var id: TokenID
    }

    private struct Slot: Sendable {
        var pair: UInt64
        var merge: Merge
    }

    static let noRank = UInt32.max
    private static let emptyPair = UInt64.max

    private var slots: [Slot]
    private let shift: UInt64
    private let multiplier: UInt64

    /// A table for up to `count` merges.
    init(count: Int) {
        var bits: UInt64 = 4
        while (1 << bits) &* 2 < count &* 3 { bits &+= 1 }
        slots = [Slot](
            repeating: Slot(pair: Self.emptyPair, merge: Merge(rank: Self.noRank, id: -1)), count: 1 << bits)
        shift = 64 &- bits
        multiplier = UInt64.random(in: 0...UInt64.max) | 1
    }

    /// The merge of a pair, with rank ``noRank`` when it has none. O(1).
    @inline(__always)
    func find(_ left: TokenID, _ right: TokenID) -> Merge {
        let pair = Self.pair(left, right)
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: (pair &* multiplier) &>> shift)
        while true {
            let entry = slots[slot]
            if entry.pair == pair || entry.pair == Self.emptyPair { return entry.merge }
            slot = (slot &+ 1) & mask
        }
    }

    /// Records a merge, in place of the one that the pair may have already.
    mutating func insert(_ left: TokenID, _ right: TokenID, rank: UInt32, id: TokenID) {
        let pair = Self.pair(left, right)
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: (pair &* multiplier) &>> shift)
        while slots[slot].pair != Self.emptyPair && slots[slot].pair != pair {
            slot = (slot &+ 1) & mask
        }
        slots[slot] = Slot(pair: pair, merge: Merge(rank: rank, id: id))
    }

    @inline(__always)
    private static func pair(_ left: TokenID, _ right: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) &<< 32 | UInt64(UInt32(bitPattern: right))
    }
}
