// SPDX-License-Identifier: Apache-2.0

/// How the rows of a request continue each other where they are no chain: several continuations of one text.
///
/// Attention counts positions, and sees a text only where its keys and values lie one behind the other. So every row has a
/// *home* in the cache, behind all positions that the continuations reach. Before a row attends, the tokens of its path are
/// copied from their homes to their positions; rows come in an order in which little has to be copied, and one copy costs
/// as much as reading one position. A row's bits are those of its path decoded as a text of its own.
///
/// Depths and homes are counted from the request's position, where the root is: it is at home in its position.
///
/// Thread safety: immutable.
final class TreeRows: Sendable {
    /// Where each row stands in its text.
    let depths: [Int]
    /// Where each row's keys and values stay.
    let homes: [Int]
    /// Rows that continue each other, in the order in which they attend.
    let runs: [Run]
    /// Copies, in the order in which they are made.
    let moves: [Move]
    /// Positions of the longest text, the root's included.
    let length: Int

    struct Move: Equatable {
        let home: Int
        let depth: Int
    }

    struct Run: Equatable {
        let rows: Range<Int>
        /// What has to be in place before.
        var moves: Range<Int>
    }

    /// All nodes of a tree.
    convenience init(_ tree: TokenTree) {
        self.init(
            tree, rows: Array(0..<tree.count),
            homes: (0..<tree.count).map { $0 == 0 ? 0 : tree.length - 1 + $0 })
    }

    /// - Parameters:
    ///   - rows: nodes of `tree`; the ancestors of each are among the rows, or in their homes already.
    ///   - homes: by node; all but the root's at least `tree.length`.
    init(_ tree: TokenTree, rows: [Int], homes: [Int]) {
        depths = rows.map { tree.depths[$0] }
        self.homes = rows.map { homes[$0] }
        length = tree.length
        var occupants = [Int](repeating: 0, count: tree.length)
        var runs: [Run] = []
        var moves: [Move] = []
        for (row, node) in rows.enumerated() {
            let continues = row > 0 && tree.parents[node] == rows[row - 1]
            let first = moves.count
            for step in tree.path(to: node) where step != 0 && occupants[tree.depths[step]] != step {
                moves.append(Move(home: homes[step], depth: tree.depths[step]))
                occupants[tree.depths[step]] = step
            }
            if continues, let last = runs.last {
                runs[runs.count - 1] = Run(
                    rows: last.rows.lowerBound..<row + 1, moves: last.moves.lowerBound..<moves.count)
            } else {
                runs.append(Run(rows: row..<row + 1, moves: first..<moves.count))
            }
        }
        self.runs = runs
        self.moves = moves
    }
}
