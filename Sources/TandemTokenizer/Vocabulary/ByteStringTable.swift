// SPDX-License-Identifier: Apache-2.0

/// Byte strings by id, and ids by byte string.
///
/// All strings lie in one block; an open-addressing table, hashed with a seed per process, finds an id in
/// expected O(length). Ids may have gaps.
struct ByteStringTable: Sendable {
    private var storage: [UInt8] = []
    private var starts: [UInt32]
    private var lengths: [UInt32]
    private var slots: [Int32]
    private(set) var count = 0

    private static let absent = UInt32.max

    /// A table for `count` strings with ids below `idLimit`.
    init(idLimit: Int, count: Int) {
        starts = [UInt32](repeating: 0, count: idLimit)
        lengths = [UInt32](repeating: Self.absent, count: idLimit)
        var size = 16
        while size < count &* 2 { size &*= 2 }
        slots = [Int32](repeating: -1, count: size)
        storage.reserveCapacity(count &* 8)
    }

    var idLimit: Int { starts.count }

    func contains(_ id: TokenID) -> Bool {
        id >= 0 && Int(id) < lengths.count && lengths[Int(id)] != Self.absent
    }

    /// The bytes of `id`; empty when there is no such id.
    func bytes(of id: TokenID) -> ArraySlice<UInt8> {
        contains(id) ? storage[range(of: id)] : []
    }

    func text(of id: TokenID) -> String {
        String(decoding: bytes(of: id), as: UTF8.self)
    }

    func find(_ bytes: Span<UInt8>) -> TokenID? {
        let mask = slots.count &- 1
        var slot = Self.hash(bytes) & mask
        while slots[slot] >= 0 {
            if matches(slots[slot], bytes) { return slots[slot] }
            slot = (slot &+ 1) & mask
        }
        return nil
    }

    func find(_ text: String) -> TokenID? {
        find(text.utf8.span)
    }

    /// Records `bytes` under `id`, which must be below `idLimit` and free. Where the same bytes are there
    /// already, `find` goes on giving the id they had first.
    mutating func insert(_ bytes: some Collection<UInt8>, id: TokenID) {
        append(bytes, id: id)
        if count &* 2 > slots.count { grow() }
        place(id)
    }

    /// Records `bytes` under `id`, which must be below `idLimit` and free, without making them findable.
    mutating func append(_ bytes: some Collection<UInt8>, id: TokenID) {
        starts[Int(id)] = UInt32(truncatingIfNeeded: storage.count)
        storage.append(contentsOf: bytes)
        lengths[Int(id)] = UInt32(truncatingIfNeeded: storage.count &- Int(starts[Int(id)]))
        count &+= 1
    }

    private func range(of id: TokenID) -> Range<Int> {
        let start = Int(starts[Int(id)])
        return start..<start &+ Int(lengths[Int(id)])
    }

    private mutating func place(_ id: TokenID) {
        let range = range(of: id)
        let mask = slots.count &- 1
        var slot = Self.hash(storage.span.extracting(range)) & mask
        while slots[slot] >= 0 {
            if matches(slots[slot], storage.span.extracting(range)) { return }
            slot = (slot &+ 1) & mask
        }
        slots[slot] = id
    }

    private mutating func grow() {
        let old = slots
        slots = [Int32](repeating: -1, count: old.count &* 2)
        for id in old where id >= 0 { place(id) }
    }

    private func matches(_ id: TokenID, _ bytes: Span<UInt8>) -> Bool {
        guard Int(lengths[Int(id)]) == bytes.count else { return false }
        let start = Int(starts[Int(id)])
        for index in 0..<bytes.count where storage[start &+ index] != bytes[index] { return false }
        return true
    }

    private static func hash(_ bytes: Span<UInt8>) -> Int {
        var hasher = Hasher()
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
