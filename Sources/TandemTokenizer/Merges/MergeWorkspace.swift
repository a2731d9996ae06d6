// SPDX-License-Identifier: Apache-2.0

/// Memory that one call of `encode` reuses from word to word.
struct MergeWorkspace {
    /// The symbols of the current word.
    var symbols: [TokenID] = []
    /// The merge of each symbol with its successor.
    var merges: [MergeTable.Merge] = []
    var next: [Int32] = []
    var previous: [Int32] = []
    var queue = MergeQueue()
}

/// A binary heap of (rank, position), smallest first.
struct MergeQueue {
    private var entries: [UInt64] = []

    mutating func push(rank: UInt32, position: Int) {
        entries.append(UInt64(rank) &<< 32 | UInt64(truncatingIfNeeded: position))
        var child = entries.count &- 1
        while child > 0 {
            let parent = (child &- 1) / 2
            if entries[parent] <= entries[child] { return }
            entries.swapAt(parent, child)
            child = parent
        }
    }

    mutating func pop() -> (rank: UInt32, position: Int)? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return (UInt32(truncatingIfNeeded: first &>> 32), Int(UInt32(truncatingIfNeeded: first)))
    }

    private mutating func sink() {
        let count = entries.count
        var parent = 0
        while true {
            var child = parent &* 2 &+ 1
            if child >= count { return }
            if child &+ 1 < count && entries[child &+ 1] < entries[child] { child &+= 1 }
            if entries[parent] <= entries[child] { return }
            entries.swapAt(parent, child)
            parent = child
        }
    }
}
