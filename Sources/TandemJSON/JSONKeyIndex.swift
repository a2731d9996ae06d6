// SPDX-License-Identifier: Apache-2.0

/// An open-addressing table from the UTF-8 bytes of a key to the position of its member.
///
/// Keys compare by their bytes, as JSON asks: Swift's own `String` equality would take canonically equivalent
/// keys for one, and vocabularies hold such pairs. Hashing is seeded per process, so that hostile keys cannot
/// be chosen to collide.
struct JSONKeyIndex: Sendable {
    /// Member position + 1, or 0 for a free slot. The count is a power of two, or zero.
    private var slots: [UInt32] = []
    private var used = 0

    /// Objects up to this size are searched member by member.
    static let threshold = 12

    init() {}

    init(capacity: Int) {
        var size = 32
        while size < capacity &* 2 { size &*= 2 }
        slots = [UInt32](repeating: 0, count: size)
    }

    var isEmpty: Bool { slots.isEmpty }

    /// The position of the member named `key`. O(1) expected.
    func find(_ key: String, in members: [JSONObject.Member]) -> Int? {
        let mask = slots.count &- 1
        var slot = Self.hash(key) & mask
        while true {
            let entry = slots[slot]
            if entry == 0 { return nil }
            let position = Int(entry) &- 1
            if sameBytes(members[position].key, key) { return position }
            slot = (slot &+ 1) & mask
        }
    }

    /// Records `position` under `key`, or returns the position that already has it.
    mutating func insert(_ key: String, position: Int, members: [JSONObject.Member]) -> Int? {
        if (used &+ 1) &* 2 > slots.count { grow(members: members) }
        let mask = slots.count &- 1
        var slot = Self.hash(key) & mask
        while slots[slot] != 0 {
            let existing = Int(slots[slot]) &- 1
            if sameBytes(members[existing].key, key) { return existing }
            slot = (slot &+ 1) & mask
        }
        slots[slot] = UInt32(truncatingIfNeeded: position &+ 1)
        used &+= 1
        return nil
    }

    private mutating func grow(members: [JSONObject.Member]) {
        let old = slots
        slots = [UInt32](repeating: 0, count: max(32, old.count &* 2))
        let mask = slots.count &- 1
        for entry in old where entry != 0 {
            var slot = Self.hash(members[Int(entry) &- 1].key) & mask
            while slots[slot] != 0 { slot = (slot &+ 1) & mask }
            slots[slot] = entry
        }
    }

    private static func hash(_ key: String) -> Int {
        var hasher = Hasher()
        var key = key
        key.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        return hasher.finalize()
    }
}

/// Whether two strings have the same UTF-8 bytes.
func sameBytes(_ first: String, _ second: String) -> Bool {
    first.utf8.count == second.utf8.count && first.utf8.elementsEqual(second.utf8)
}
