// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What further drafts are worth, by dynamic programming over the probability that all drafts so far are kept.
///
/// With survival s after d drafts, one step of the secondary costs λ·c tokens. It shows a chance a, drawn from the chances
/// seen lately; the draft may then be made for the λ·m(d) that its row costs the primary, which gains s·a and leaves
/// survival s·a:
///
///     V(d, s) = max(0, −λc + E[max(0, s·a − λm(d) + V(d + 1, s·a))])
///
/// Where V(d, s) = 0 the pass ends. The values stand on a geometric grid of s. Between its points they are interpolated along s,
/// of which they are nearly linear; a coarse grid makes them too great, and so drafts too long.
package struct StoppingRule: Sendable {
    /// By drafts made, then by survival: `size` values each, and a zero.
    private var values = [Double](repeating: 0, count: stride)
    private var depths = 1
    /// Whether the last of them stands for all that follow.
    private var goesOn = true

    private static let size = 80
    private static let stride = size + 1
    /// Steps of −log s; the grid ends at s = 0.007.
    private static let spacing = 0.0625
    /// Chances near 1 stay in their cell of the grid: this often the value of the cell is fed back into itself.
    private static let rounds = 4
    /// exp(−spacing · index).
    private static let grid = (0...size).map { exp(-spacing * Double($0)) }

    package init() {}

    /// Computes the values.
    ///
    /// - Parameters:
    ///   - chances: chances of being kept, each with the share of drafts that have it (shares sum to 1).
    ///   - step: λ·c, what a step of the secondary costs, in tokens.
    ///   - rows: λ·m(d), what the row of the draft after d others costs the primary, in tokens. At least one.
    ///   - goesOn: whether more drafts may follow these, for the price of the last.
    package mutating func solve(
        chances: [(chance: Double, share: Double)], step: Double, rows: [Double], goesOn: Bool
    ) {
        let moves = chances.compactMap { Move($0.chance, share: $0.share) }
        depths = max(1, rows.count)
        self.goesOn = goesOn
        let count = depths * Self.stride
        if values.count == count {
            for index in values.indices { values[index] = 0 }
        } else {
            values = [Double](repeating: 0, count: count)
        }
        var depth = depths - 1
        if goesOn {
            solveLast(moves, step: step, row: rows.last ?? 0)
            depth -= 1
        }
        // What a draft is worth, its row paid, by what survives with it.
        var worth = [Double](repeating: 0, count: Self.stride)
        while depth >= 0 {
            let row = depth < rows.count ? rows[depth] : 0
            let next = (depth + 1) * Self.stride
            var live = 0
            while live <= Self.size {
                worth[live] = Self.grid[live] - row + (depth + 1 < depths ? values[next + live] : 0)
                // Less survival is worth less: from here on no draft should be made.
                if worth[live] <= 0 { break }
                live += 1
            }
            live = min(live, Self.size)
            let start = depth * Self.stride
            for move in moves where move.cells < live {
                unsafe worth.withUnsafeBufferPointer { worth in
                    unsafe values.withUnsafeMutableBufferPointer { values in
                        for index in 0..<live - move.cells {
                            let first = unsafe worth[index + move.cells]
                            let second = unsafe worth[index + move.cells + 1]
                            let between = first + (second - first) * move.fraction
                            unsafe values[start + index] += move.share * max(0, between)
                        }
                    }
                }
            }
            for index in start..<start + live { values[index] = max(0, values[index] - step) }
            depth -= 1
        }
    }

    /// The values where all rows still to come cost the same, so that they depend on themselves.
    private mutating func solveLast(_ moves: [Move], step: Double, row: Double) {
        let start = (depths - 1) * Self.stride
        // Those that leave the cell of the grid, and those that stay in it and so depend on its own value.
        let far = moves.filter { $0.cells > 0 }
        let near = moves.filter { $0.cells == 0 }
        for index in (0..<Self.size).reversed() {
            let survival = Self.grid[index]
            var known = -step
            for move in far where index + move.cells < Self.size {
                let next = move.between(values, start + index)
                known += move.share * max(0, survival * move.chance - row + next)
            }
            values[start + index] = values[start + index + 1]
            for _ in 0..<Self.rounds {
                var expected = known
                for move in near {
                    let next = move.between(values, start + index)
                    expected += move.share * max(0, survival * move.chance - row + next)
                }
                values[start + index] = max(0, expected)
            }
        }
    }

    /// A chance as a step along the grid.
    private struct Move {
        let chance: Double
        let share: Double
        let cells: Int
        let fraction: Double

        /// `nil` for what hardly ever happens, and where nothing survives.
        init?(_ chance: Double, share: Double) {
            guard share > 1e-3 else { return nil }
            self.chance = chance
            self.share = share
            (cells, fraction) = StoppingRule.place(chance)
            if cells >= StoppingRule.size { return nil }
        }

        /// The value that this step leads to from that of `index`.
        @inline(__always)
        func between(_ values: [Double], _ index: Int) -> Double {
            values[index + cells] * (1 - fraction) + values[index + cells + 1] * fraction
        }
    }

    /// V(d, s): expected tokens that drafting on gains over ending the pass, the price already taken off.
    package func value(survival: Double, drafts: Int = 0) -> Double {
        let (cell, fraction) = Self.place(survival)
        guard cell < Self.size, drafts < depths || goesOn else { return 0 }
        let index = min(drafts, depths - 1) * Self.stride + cell
        return values[index] * (1 - fraction) + values[index + 1] * fraction
    }

    /// The cell of the grid in which `survival` lies, and how far from its beginning.
    private static func place(_ survival: Double) -> (cell: Int, fraction: Double) {
        guard survival > grid[size] else { return (size, 0) }
        let cell = min(max(0, Int(-log(survival) / spacing)), size - 1)
        return (cell, (grid[cell] - survival) / (grid[cell] - grid[cell + 1]))
    }
}
