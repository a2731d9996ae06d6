// SPDX-License-Identifier: Apache-2.0

/// Pieces by their bytes: finds all that a text begins with.
///
/// The edges lie in one open-addressing table, hashed with a multiplier drawn per trie, so that pieces cannot be chosen
/// to collide. Eight bytes an entry.
struct PieceTrie: Sendable {
    /// Pieces may have this many bytes altogether.
    static let maximumBytes = 1 << 23

    /// Node, byte and child in 24, 8 and 24 bits; all ones where there is none.
    private var slots: [UInt64]
    private var shift: UInt64
    private let multiplier: UInt64
    /// The token that ends at each node, -1 where none does.
    private(set) var tokens: [TokenID] = [-1]

    private static let empty = UInt64.max

    /// A trie for pieces of `byteCount` bytes altogether, at most ``maximumBytes``.
    init(byteCount: Int) {
        var bits: UInt64 = 4
        while (1 << bits) < byteCount &* 2 { bits &+= 1 }
        slots = [UInt64](repeating: Self.empty, count: 1 << bits)
        shift = 64 &- bits
        multiplier = UInt64.random(in: 0...UInt64.max) | 1
    }

    /// The child of `node` along `byte`, or 0. O(1).
    @inline(__always)
    func child(of node: Int, _ byte: UInt8) -> Int {
        let key = UInt64(truncatingIfNeeded: node) &<< 8 | UInt64(byte)
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: (key &* multiplier) &>> shift)
        while true {
            let entry = slots[slot]
            if entry &>> 24 == key { return Int(truncatingIfNeeded: entry & 0xFF_FFFF) }
            if entry == Self.empty { return 0 }
            slot = (slot &+ 1) & mask
        }
    }

    /// Records a piece. Of equal pieces the one recorded last counts.
    mutating func insert(_ piece: some Collection<UInt8>, id: TokenID) {
        var node = 0
        for byte in piece {
            var next = child(of: node, byte)
            if next == 0 {
                next = tokens.count
                tokens.append(-1)
                place(UInt64(node) << 32 | UInt64(byte) << 24 | UInt64(next))
            }
            node = next
        }
        if node != 0 { tokens[node] = id }
    }

    private mutating func place(_ entry: UInt64) {
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: ((entry &>> 24) &* multiplier) &>> shift)
        while slots[slot] != Self.empty { slot = (slot &+ 1) & mask }
        slots[slot] = entry
    }
}
