// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What further drafts are worth, by dynamic programming over the probability that all drafts so far are kept.
///
/// With survival s, one step of the secondary costs λ·c tokens. It shows a chance a, drawn from the chances seen lately;
/// the draft may then be made for λ·m more, which gains s·a and leaves survival s·a:
///
///     V(s) = max(0, −λc + E[max(0, s·a − λm + V(s·a))])
///
/// Where V(s) = 0 the pass ends. The values stand on a logarithmic grid of s and are interpolated.
package struct StoppingRule: Sendable {
    private var values = [Double](repeating: 0, count: size)

    private static let size = 30
    /// Steps of −log s; the grid ends at s = 0.0007.
    private static let spacing = 0.25
    /// Chances near 1 stay in their cell of the grid: this often the value of the cell is fed back into itself.
    private static let rounds = 4

    package init() {}

    /// Computes the values.
    ///
    /// - Parameters:
    ///   - chances: chances of being kept, each with the share of drafts that have it (shares sum to 1).
    ///   - step: λ·c, what a step of the secondary costs, in tokens.
    ///   - row: λ·m, what one more row of the primary costs, in tokens.
    package mutating func solve(chances: [(chance: Double, share: Double)], step: Double, row: Double) {
        let moves = chances.map { Move($0.chance, share: $0.share) }
        // Those that leave the cell of the grid, and those that stay in it and so depend on its own value.
        let far = moves.filter { $0.cells > 0 }
        let near = moves.filter { $0.cells == 0 }
        var survival = exp(-Double(Self.size) * Self.spacing)
        let growth = exp(Self.spacing)
        for index in values.indices.reversed() {
            survival *= growth
            var known = -step
            for move in far {
                known +=
                    move.share
                    * max(0, survival * move.chance - row + value(index + move.cells, move.fraction))
            }
            values[index] = index + 1 < values.count ? values[index + 1] : 0
            for _ in 0..<Self.rounds {
                var expected = known
                for move in near {
                    expected +=
                        move.share * max(0, survival * move.chance - row + value(index, move.fraction))
                }
                values[index] = max(0, expected)
            }
        }
    }

    /// A chance as a step along the grid.
    private struct Move {
        let chance: Double
        let share: Double
        let cells: Int
        let fraction: Double

        init(_ chance: Double, share: Double) {
            let offset = -log(max(chance, 1e-9)) / StoppingRule.spacing
            self.chance = chance
            self.share = share
            cells = Int(offset)
            fraction = offset - Double(cells)
        }
    }

    /// V(s): expected tokens that drafting on gains over ending the pass, the price already taken off.
    package func value(survival: Double) -> Double {
        survival > 0 ? value(at: -log(survival) / Self.spacing) : 0
    }

    private func value(at place: Double) -> Double {
        guard place < Double(values.count - 1) else { return 0 }
        let place = max(place, 0)
        let index = Int(place)
        return value(index, place - Double(index))
    }

    private func value(_ index: Int, _ fraction: Double) -> Double {
        guard index + 1 < values.count else { return 0 }
        return values[index] * (1 - fraction) + values[index + 1] * fraction
    }
}
