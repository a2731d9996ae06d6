// SPDX-License-Identifier: Apache-2.0

/// Rows of one or more requests, one behind the other, and what attention needs to know of each.
struct PassBatch {
    /// The rows of one request.
    @safe
    struct Part {
        /// Index of the request.
        let request: Int
        fileprivate(set) var firstRow: Int
        fileprivate(set) var rowCount: Int
        /// Position of the first row.
        fileprivate(set) var position: Int
        /// Rows of the request that came before the first and are in the batch no more.
        fileprivate(set) var leading = 0
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
        /// The row of the batch that a row of the request is.
        func row(ofRequestRow row: Int) -> Int { firstRow &+ row &- leading }
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
        narrow(to: { isGone($0) ? 0..<0 : 0..<$0.rowCount }, move: move)
    }

    /// Keeps some rows of every part; the rows behind those that go move up, and parts without rows go.
    /// - Parameters:
    ///   - kept: the rows to keep, counted from the part's first; all or none of a tree.
    ///   - move: called for all rows that move, in rising order, with where they were and their first row after.
    mutating func narrow(to kept: (Part) -> Range<Int>, move: (Range<Int>, Int) -> Void) {
        guard parts.contains(where: { kept($0).count != $0.rowCount }) else { return }
        var left: [Part] = []
        var row = 0
        for var part in parts {
            let rows = kept(part)
            guard !rows.isEmpty else { continue }
            let first = part.firstRow + rows.lowerBound
            if first != row { move(first..<first + rows.count, row) }
            part.firstRow = row
            part.rowCount = rows.count
            part.position += rows.lowerBound
            part.leading += rows.lowerBound
            row += rows.count
            left.append(part)
        }
        parts = left
        rowCount = row
        blocks.removeAll(keepingCapacity: true)
        for index in parts.indices { addBlocks(index) }
    }
}
