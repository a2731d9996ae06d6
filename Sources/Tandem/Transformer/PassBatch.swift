// SPDX-License-Identifier: Apache-2.0

/// Rows of one or more requests, one behind the other, and what attention needs to know of each.
struct PassBatch {
    /// The rows of one request.
    @safe
    struct Part {
        /// Index of the request.
        let request: Int
        fileprivate(set) var firstRow: Int
        let rowCount: Int
        /// Position of the first row.
        let position: Int
        let cache: CacheView
        /// How the rows continue each other; `nil` = each the one before.
        let tree: TreeRows?

        var rows: Range<Int> { firstRow..<firstRow &+ rowCount }
        /// Positions there are after the last row.
        var end: Int { position &+ (tree?.length ?? rowCount) }

        /// The position of a row, counted from the first, in its text.
        func position(ofRow row: Int) -> Int { position &+ (tree?.depths[row] ?? row) }
        /// Where a row's keys and values stay in the cache.
        func home(ofRow row: Int) -> Int { position &+ (tree?.homes[row] ?? row) }
    }

    /// Neighbouring rows of one part whose attention is computed together; all rows of one with a tree.
    struct Block {
        let part: Int
        /// First row, of the batch.
        let row: Int
        let rowCount: Int
    }

    private(set) var parts: [Part] = []
    private(set) var blocks: [Block] = []
    private(set) var rowCount = 0
    /// Rows whose attention is computed together.
    let rowsPerBlock: Int

    /// - Parameter rowsPerBlock: rows whose attention is computed together.
    init(rowsPerBlock: Int) {
        self.rowsPerBlock = rowsPerBlock
    }

    /// Adds the rows of a request, if there are any.
    mutating func append(
        request: Int, rowCount: Int, position: Int, cache: KeyValueCache, tree: TreeRows? = nil
    ) {
        guard rowCount > 0 else { return }
        cache.prepareRope(upTo: position + (tree?.length ?? rowCount))
        parts.append(
            Part(
                request: request, firstRow: self.rowCount, rowCount: rowCount, position: position,
                cache: cache.view, tree: tree))
        addBlocks(parts.count - 1)
        self.rowCount += rowCount
    }

    private mutating func addBlocks(_ index: Int) {
        let part = parts[index]
        let rowsPerBlock = part.tree == nil ? rowsPerBlock : part.rowCount
        for row in stride(from: 0, to: part.rowCount, by: rowsPerBlock) {
            blocks.append(
                Block(
                    part: index, row: part.firstRow + row, rowCount: min(rowsPerBlock, part.rowCount - row)))
        }
    }

    /// The part that a row belongs to.
    func part(ofRow row: Int) -> Part {
        var index = 0
        while index &+ 1 < parts.count, parts[index &+ 1].firstRow <= row { index &+= 1 }
        return parts[index]
    }

    /// Takes out the parts of some requests; the rows behind them move up.
    /// - Parameter move: called for every part that moves, with its rows before and its first row after.
    mutating func remove(_ isGone: (Part) -> Bool, move: (Range<Int>, Int) -> Void) {
        var kept: [Part] = []
        var row = 0
        for var part in parts where !isGone(part) {
            if part.firstRow != row { move(part.rows, row) }
            part.firstRow = row
            row += part.rowCount
            kept.append(part)
        }
        parts = kept
        rowCount = row
        blocks.removeAll(keepingCapacity: true)
        for index in parts.indices { addBlocks(index) }
    }
}
