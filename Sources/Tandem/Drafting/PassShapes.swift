// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// How the time of a pass may grow with its rows, and how likely each way is before any pass has been timed.
///
/// A shape says what a pass over r rows takes over a pass over one. The work of r rows is ψ(r) = o·⌈r / b⌉ + (1 − o)·r, where
/// the kernels compute blocks of b rows and the part o of a row is done once for a block. Either that is added to what any pass takes,
/// 1 + m·(ψ(r) − 1), or it goes on while weights are read and costs nothing as long as it is the shorter, max(1, m·ψ(r)).
///
/// Thread safety: immutable.
package final class PassShapes: Sendable {
    private struct Shape: Sendable {
        let isAdding: Bool
        let slope: Double
        /// Logarithm of how likely it is.
        let expected: Double
    }

    private let shapes: [Shape]
    private let blockRows: Int
    private let blockShare: Double
    /// By rows, then by shape: what a pass over 1 + index rows takes over one.
    private let table: [Double]
    private let logarithms: [Double]

    /// Rows that passes usually have at most.
    static let usualRows = 17
    /// Slopes that are told apart.
    private static let coarse = [0.02, 0.06, 0.12, 0.25, 0.5, 1]
    private static let adding = [
        0, 0.005, 0.015, 0.03, 0.045, 0.065, 0.09, 0.12, 0.155, 0.2, 0.25, 0.32, 0.4, 0.5, 0.6, 0.7, 0.85, 1,
    ]
    private static let hiding = [0.05, 0.075, 0.11, 0.15, 0.2, 0.28, 0.38, 0.5, 0.65, 0.8, 1]
    /// Standard deviation of the logarithm of a slope about the expected one, of slopes that are not very small.
    private static let spread = 0.35
    private static let small = 0.02

    /// - Parameters:
    ///   - adding: the expected slope where work is added.
    ///   - hiding: the expected slope where work hides behind reading.
    ///   - hidingShare: how likely the latter is, 0 … 1; 0 = not possible, and slopes are told apart coarsely.
    ///   - blockRows: rows that kernels compute at once.
    ///   - blockShare: the part of a row that is done once for all of them.
    init(adding: Double, hiding: Double, hidingShare: Double, blockRows: Int = 1, blockShare: Double = 0) {
        self.blockRows = blockRows
        self.blockShare = blockShare
        func likelihood(_ slope: Double, _ expected: Double) -> Double {
            let distance = log((slope + Self.small) / (expected + Self.small)) / Self.spread
            return -distance * distance / 2
        }
        let isCoarse = hidingShare == 0
        let added = (isCoarse ? Self.coarse : Self.adding).map {
            Shape(isAdding: true, slope: $0, expected: likelihood($0, adding) + log(1 - hidingShare))
        }
        let hidden = (isCoarse ? [] : Self.hiding).map {
            Shape(isAdding: false, slope: $0, expected: likelihood($0, hiding) + log(hidingShare))
        }
        shapes = added + hidden
        var table: [Double] = []
        for rows in 1...Self.usualRows {
            table += shapes.map { Self.ratio($0, work: Self.work(rows, blockRows, blockShare)) }
        }
        self.table = table
        logarithms = table.map { log($0) }
    }

    var count: Int { shapes.count }
    /// Rows over which the price of one is the same wherever one begins to count: a multiple of what kernels compute at once.
    static let period = 4

    private static func work(_ rows: Int, _ blockRows: Int, _ blockShare: Double) -> Double {
        blockShare * Double((rows + blockRows - 1) / blockRows) + (1 - blockShare) * Double(rows)
    }

    private static func ratio(_ shape: Shape, work: Double) -> Double {
        shape.isAdding ? 1 + shape.slope * (work - 1) : max(1, shape.slope * work)
    }

    /// What a pass over `rows` ≥ 1 rows takes over one.
    func ratio(_ shape: Int, rows: Int) -> Double {
        let rows = max(1, rows)
        return rows <= Self.usualRows
            ? table[(rows - 1) * shapes.count + shape]
            : Self.ratio(shapes[shape], work: Self.work(rows, blockRows, blockShare))
    }

    func logarithm(_ shape: Int, rows: Int) -> Double {
        let rows = max(1, rows)
        return rows <= Self.usualRows
            ? logarithms[(rows - 1) * shapes.count + shape] : log(ratio(shape, rows: rows))
    }

    /// Logarithm of how likely a shape is before any pass has been timed.
    func expected(_ shape: Int) -> Double { shapes[shape].expected }
}

extension PassShapes {
    /// Bytes of weights that stay in the caches of usual processors.
    private static let cachedBytes = 32 << 20

    /// What is usual of the kernels of an instruction set, with weights of `bytes`. Measured with `tandem bench --verify` on Zen 5
    /// (VNNI) and Zen 3 (AVX2, scalar); of NEON without dot products it is a guess.
    package static func usual(instructionSet name: String, bytes: Int) -> PassShapes {
        let isCached = bytes <= cachedBytes
        return switch name {
        // Computing takes longer than weights take to arrive.
        case "scalar": computing
        // Bytes are multiplied and added in several steps.
        case "avx2", "neon": isCached ? slowInCaches : slow
        // One instruction makes sums of four products.
        default: isCached ? fastInCaches : fast
        }
    }

    static let fast = PassShapes(adding: 0.06, hiding: 0.08, hidingShare: 0.4)
    private static let fastInCaches = PassShapes(adding: 0.25, hiding: 0.25, hidingShare: 0.2)
    private static let slow = PassShapes(
        adding: 0.2, hiding: 0.35, hidingShare: 0.85, blockRows: 4, blockShare: 0.3)
    private static let slowInCaches = PassShapes(
        adding: 0.7, hiding: 0.7, hidingShare: 0.2, blockRows: 4, blockShare: 0.3)
    private static let computing = PassShapes(adding: 0.95, hiding: 0.95, hidingShare: 0.2)
    /// Of steps of the secondary.
    static let drafts = PassShapes(adding: 0.12, hiding: 0, hidingShare: 0)
}
