// SPDX-License-Identifier: Apache-2.0

/// Sets of stacks, each kept once.
///
/// A stack is what waits for the end of a rule: places where matching goes on, the innermost first. A set of stacks is a
/// node: for every innermost place one node with the rests of the stacks that begin with it, and whether the empty stack is
/// in the set. As each set has one node, sets are equal when their numbers are, and stacks share what they have in common.
struct StackTable {
    /// No stack at all.
    static let none: Int32 = 0
    /// The empty stack only.
    static let bottom: Int32 = 1

    /// Position of an entry that stands for stacks nobody looks into.
    static let unknown: Int32 = -1

    struct Entry: Hashable {
        /// Position of an element, and how often a loop there was taken.
        var frame: UInt64
        /// The stacks below.
        var rest: Int32

        init(position: Int32, count: Int32 = 0, rest: Int32) {
            frame = UInt64(UInt32(bitPattern: position)) << 32 | UInt64(UInt32(bitPattern: count))
            self.rest = rest
        }

        var position: Int32 { Int32(truncatingIfNeeded: frame >> 32) }
        var count: Int32 { Int32(truncatingIfNeeded: frame & 0xFFFF_FFFF) }
    }

    /// Entries of all nodes, those of a node by frame.
    private var entries: [Entry] = []
    private var starts: [Int] = [0]
    private var holdsEmpty: [Bool] = []
    private var depths: [Int32] = []
    private var buckets = [Int32](repeating: -1, count: 256)
    private var unions: [UInt64: Int32] = [:]
    /// Steps taken; the owner sets it back.
    var work = 0
    /// Entries that the table may hold.
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
        _ = intern([], holdsEmpty: false)
        _ = intern([], holdsEmpty: true)
    }

    var nodeCount: Int { holdsEmpty.count }

    /// What the table holds, in entries.
    var size: Int { entries.count + 2 * holdsEmpty.count + 2 * unions.count }

    func range(_ node: Int32) -> Range<Int> { starts[Int(node)]..<starts[Int(node) + 1] }

    func entry(_ place: Int) -> Entry { entries[place] }

    /// Length of the longest stack of a set.
    func depth(_ node: Int32) -> Int32 { depths[Int(node)] }

    func holdsEmptyStack(_ node: Int32) -> Bool { holdsEmpty[Int(node)] }

    /// The node with these entries, in order of their frames, each frame once.
    mutating func intern(_ list: [Entry], holdsEmpty empty: Bool) -> Int32 {
        var hash: UInt64 = empty ? 0x9E37_79B9_7F4A_7C15 : 0xCBF2_9CE4_8422_2325
        for entry in list {
            hash = (hash ^ entry.frame) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
            hash = (hash ^ UInt64(UInt32(bitPattern: entry.rest))) &* 0xBF58_476D_1CE4_E5B9
            hash ^= hash >> 32
        }
        var slot = Int(truncatingIfNeeded: hash) & (buckets.count - 1)
        while buckets[slot] >= 0 {
            let node = buckets[slot]
            if holdsEmpty[Int(node)] == empty && entries[range(node)].elementsEqual(list) { return node }
            slot = (slot + 1) & (buckets.count - 1)
        }
        let node = Int32(holdsEmpty.count)
        var depth: Int32 = 0
        for entry in list { depth = max(depth, depths[Int(entry.rest)] + 1) }
        entries.append(contentsOf: list)
        starts.append(entries.count)
        holdsEmpty.append(empty)
        depths.append(depth)
        hashes.append(hash)
        buckets[slot] = node
        if holdsEmpty.count * 2 > buckets.count { rehash() }
        return node
    }

    private var hashes: [UInt64] = []

    private mutating func rehash() {
        buckets = Array(repeating: -1, count: buckets.count * 2)
        for (node, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & (buckets.count - 1)
            while buckets[slot] >= 0 { slot = (slot + 1) & (buckets.count - 1) }
            buckets[slot] = Int32(node)
        }
    }

    /// The stacks of `rest` with a place put on each; none where they grew too deep.
    mutating func push(position: Int32, count: Int32 = 0, on rest: Int32) -> Int32 {
        guard rest != Self.none, depths[Int(rest)] < GrammarLimits.depth else { return Self.none }
        return intern([Entry(position: position, count: count, rest: rest)], holdsEmpty: false)
    }

    /// The node with these entries, in any order; the stacks below the same frame are joined.
    mutating func node(of entries: [Entry], holdsEmpty: Bool) throws(GrammarError) -> Int32 {
        let sorted = entries.sorted { ($0.frame, $0.rest) < ($1.frame, $1.rest) }
        var list: [Entry] = []
        list.reserveCapacity(sorted.count)
        var first = 0
        while first < sorted.count {
            var last = first + 1
            while last < sorted.count && sorted[last].frame == sorted[first].frame { last += 1 }
            list.append(sorted[first])
            if last > first + 1 {
                list[list.count - 1].rest = try union(of: sorted[first..<last].map(\.rest))
            }
            first = last
        }
        return intern(list, holdsEmpty: holdsEmpty)
    }

    /// The stacks of all, two and two, so that what lies in between stays small.
    mutating func union(of nodes: [Int32]) throws(GrammarError) -> Int32 {
        var nodes = nodes
        while nodes.count > 1 {
            var halved: [Int32] = []
            for place in stride(from: 0, to: nodes.count - 1, by: 2) {
                halved.append(try union(nodes[place], nodes[place + 1]))
            }
            if nodes.count % 2 == 1 { halved.append(nodes[nodes.count - 1]) }
            nodes = halved
        }
        return nodes.first ?? Self.none
    }

    /// The stacks of both.
    mutating func union(_ a: Int32, _ b: Int32) throws(GrammarError) -> Int32 {
        if a == b || b == Self.none { return a }
        if a == Self.none { return b }
        let key = UInt64(UInt32(min(a, b))) << 32 | UInt64(UInt32(max(a, b)))
        if let known = unions[key] { return known }
        var left = range(a)
        var right = range(b)
        var list: [Entry] = []
        list.reserveCapacity(left.count + right.count)
        try spend(left.count + right.count)
        while let first = left.first, let second = right.first {
            if entries[first].frame < entries[second].frame {
                list.append(entries[first])
                left.removeFirst()
            } else if entries[first].frame > entries[second].frame {
                list.append(entries[second])
                right.removeFirst()
            } else {
                var both = entries[first]
                // As deep as the stacks are; their depth is limited.
                both.rest = try union(both.rest, entries[second].rest)
                list.append(both)
                left.removeFirst()
                right.removeFirst()
            }
        }
        list.append(contentsOf: entries[left])
        list.append(contentsOf: entries[right])
        let node = intern(list, holdsEmpty: holdsEmpty[Int(a)] || holdsEmpty[Int(b)])
        unions[key] = node
        return node
    }

    /// Counts steps.
    mutating func spend(_ steps: Int) throws(GrammarError) {
        work += steps
        guard work <= GrammarLimits.work else { throw .tooComplex(what: "steps", limit: GrammarLimits.work) }
        guard size <= limit else { throw .tooComplex(what: "entries of stacks", limit: limit) }
    }

    /// A table that holds only what `node` needs; returns its number there.
    func kept(_ node: Int32) -> (table: StackTable, node: Int32) {
        var isNeeded = [Bool](repeating: false, count: nodeCount)
        isNeeded[Int(node)] = true
        // What a node refers to was made before it.
        for index in (0...Int(node)).reversed() where isNeeded[index] {
            for place in range(Int32(index)) { isNeeded[Int(entries[place].rest)] = true }
        }
        var table = StackTable(limit: limit)
        var renamed = [Int32](repeating: 0, count: nodeCount)
        for index in 0...Int(node) where isNeeded[index] {
            let list = entries[range(Int32(index))].map { old in
                var entry = old
                entry.rest = renamed[Int(old.rest)]
                return entry
            }
            renamed[index] = table.intern(list, holdsEmpty: holdsEmpty[index])
        }
        return (table, renamed[Int(node)])
    }
}
