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

        var rows: Range<Int> { firstRow..<firstRow &+ rowCount }
        /// Positions there are after the last row.
        var end: Int { position &+ rowCount }
    }

    /// Neighbouring rows of one part whose attention is computed together.
    struct Block {
        let part: Int
        /// First row, of the batch.
        let row: Int
        let rowCount: Int
    }

    private(set) var parts: [Part] = []
    private(set) var blocks: [Block] = []
    private(set) var rowCount = 0
    private let rowsPerBlock: Int

    /// - Parameter rowsPerBlock: rows whose attention is computed together.
    init(rowsPerBlock: Int) {
        self.rowsPerBlock = rowsPerBlock
    }

    /// Adds the rows of a request, if there are any.
    mutating func append(request: Int, rowCount: Int, position: Int, cache: KeyValueCache) {
        guard rowCount > 0 else { return }
        cache.prepareRope(upTo: position + rowCount)
        parts.append(
            Part(
                request: request, firstRow: self.rowCount, rowCount: rowCount, position: position,
                cache: cache.view))
        addBlocks(parts.count - 1)
        self.rowCount += rowCount
    }

    private mutating func addBlocks(_ index: Int) {
        let part = parts[index]
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
