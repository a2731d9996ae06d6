// SPDX-License-Identifier: Apache-2.0

/// Byte-pair merging: of all neighbouring pairs the one of lowest rank merges first, the leftmost among
/// equals, until no pair has a merge.
struct BytePairMerger: Sendable {
    let table: MergeTable

    /// Up to this many symbols a scan beats a heap.
    private static let scanLimit = 40

    /// Merges `workspace.symbols` and appends what remains to `ids`. O(n²) with a small constant up to
    /// forty symbols, O(n log n) beyond.
    func merge(_ workspace: inout MergeWorkspace, into ids: inout [TokenID]) {
        let count = workspace.symbols.count
        if count > 1 {
            if count <= Self.scanLimit {
                mergeByScan(&workspace)
            } else {
                mergeByHeap(&workspace, into: &ids)
                return
            }
        }
        ids.append(contentsOf: workspace.symbols)
    }

    private func mergeByScan(_ workspace: inout MergeWorkspace) {
        var count = workspace.symbols.count
        workspace.merges.removeAll(keepingCapacity: true)
        for index in 0..<count &- 1 {
            workspace.merges.append(
                table.find(workspace.symbols[index], workspace.symbols[index &+ 1]))
        }
        while true {
            var best = 0
            var rank = MergeTable.noRank
            for index in 0..<count &- 1 where workspace.merges[index].rank < rank {
                rank = workspace.merges[index].rank
                best = index
            }
            if rank == MergeTable.noRank { break }
            workspace.symbols[best] = workspace.merges[best].id
            count &-= 1
            var index = best &+ 1
            while index < count {
                workspace.symbols[index] = workspace.symbols[index &+ 1]
                workspace.merges[index &- 1] = workspace.merges[index]
                index &+= 1
            }
            if best &+ 1 < count {
                workspace.merges[best] = table.find(workspace.symbols[best], workspace.symbols[best &+ 1])
            }
            if best > 0 {
                workspace.merges[best &- 1] = table.find(
                    workspace.symbols[best &- 1], workspace.symbols[best])
            }
            if count == 1 { break }
        }
        workspace.symbols.removeLast(workspace.symbols.count &- count)
    }

    /// The same with a heap of candidates. An entry is stale when its position no longer has its rank: every
    /// rank belongs to one pair.
    private func mergeByHeap(_ workspace: inout MergeWorkspace, into ids: inout [TokenID]) {
        let count = workspace.symbols.count
        let none = MergeTable.Merge(rank: MergeTable.noRank, id: -1)
        workspace.merges = [MergeTable.Merge](repeating: none, count: count)
        workspace.next = (0..<count).map { Int32(truncatingIfNeeded: $0 &+ 1) }
        workspace.previous = (0..<count).map { Int32(truncatingIfNeeded: $0 &- 1) }
        for index in 0..<count &- 1 {
            consider(index, index &+ 1, &workspace)
        }
        while let (rank, position) = workspace.queue.pop() {
            guard workspace.merges[position].rank == rank else { continue }
            let absorbed = Int(workspace.next[position])
            let following = Int(workspace.next[absorbed])
            workspace.symbols[position] = workspace.merges[position].id
            workspace.merges[position] = none
            workspace.merges[absorbed] = none
            workspace.next[position] = Int32(truncatingIfNeeded: following)
            if following < count {
                workspace.previous[following] = Int32(truncatingIfNeeded: position)
                consider(position, following, &workspace)
            }
            let preceding = Int(workspace.previous[position])
            if preceding >= 0 { consider(preceding, position, &workspace) }
        }
        var position = 0
        while position < count {
            ids.append(workspace.symbols[position])
            position = Int(workspace.next[position])
        }
    }

    @inline(__always)
    private func consider(_ left: Int, _ right: Int, _ workspace: inout MergeWorkspace) {
        let merge = table.find(workspace.symbols[left], workspace.symbols[right])
        workspace.merges[left] = merge
        if merge.rank != MergeTable.noRank { workspace.queue.push(rank: merge.rank, position: left) }
    }
}
