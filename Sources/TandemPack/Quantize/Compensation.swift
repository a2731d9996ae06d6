// SPDX-License-Identifier: Apache-2.0

/// How the rounding error of each column is to be made up for in the columns after it.
///
/// With H = E[x xᵀ] and a row's error e, the output error is e H eᵀ. Writing H = M D Mᵀ, M upper triangular with ones on
/// its diagonal, that is Σ_j D_j (e_j + Σ_{i<j} e_i M_ij)²: rounding w_j + Σ_{i<j} e_i M_ij instead of w_j makes every
/// term as small as one rounding can. H is taken in blocks along its diagonal; inside a block, groups of columns come in
/// the order of the energy of their inputs, so that the errors that cost most are made up for by the most columns.
///
/// Thread safety: immutable.
final class Compensation: Sendable {
    /// Columns of one group in one block, consecutive in the block's order.
    struct Run: Sendable {
        let group: Int
        /// First column, and first position in the block's order.
        let column: Int
        let position: Int
        let count: Int
    }

    struct Block: Sendable {
        /// In the order of rounding.
        let runs: [Run]
        let width: Int
        /// M in the order of rounding, its rows `stride` apart; below the diagonal and beyond `width` all is zero.
        let factors: [Float]
        var stride: Int { Compensation.stride(width) }
    }

    let blocks: [Block]

    /// - Parameter group: columns per scale.
    init(_ statistics: InputStatistics, group: Int) {
        blocks = (0..<statistics.blockCount).map { Compensation.block($0, statistics, group: group) }
    }

    /// Elements between rows of that width: two vectors of 8 from any multiple of 8 inside it stay inside.
    static func stride(_ width: Int) -> Int { ((width + 15) & ~15) + 16 }

    /// Columns of the widest block.
    var largestWidth: Int { blocks.map(\.width).max() ?? 0 }
    /// Columns of the longest run.
    var largestRun: Int { blocks.flatMap(\.runs).map(\.count).max() ?? 0 }

    private static func block(_ index: Int, _ statistics: InputStatistics, group: Int) -> Block {
        let columns = statistics.columns(ofBlock: index)
        var pieces: [(group: Int, columns: Range<Int>, energy: Double)] = []
        var start = columns.lowerBound
        while start < columns.upperBound {
            let number = start / group
            let end = min((number + 1) * group, columns.upperBound)
            let energy = (start..<end).reduce(0.0) { $0 + Double(statistics.moment(column: $1)) }
            pieces.append((number, start..<end, energy))
            start = end
        }
        // Equal energies stay in the order of the columns: the result does not depend on the sort.
        pieces.sort { ($1.energy, $0.columns.lowerBound) < ($0.energy, $1.columns.lowerBound) }
        var runs: [Run] = []
        var order: [Int] = []
        for piece in pieces {
            runs.append(
                Run(
                    group: piece.group, column: piece.columns.lowerBound, position: order.count,
                    count: piece.columns.count))
            order += piece.columns.map { $0 - columns.lowerBound }
        }
        let factors = UnitUpperFactor.make(
            moments: statistics.moments, offset: statistics.offset(ofBlock: index), order: order)
        return Block(runs: runs, width: columns.count, factors: factors)
    }
}

/// Keeps the newest compensation: neighbours, such as queries, keys and values, read the same input.
struct CompensationCache {
    private var newest: (statistics: InputStatistics, group: Int, compensation: Compensation)?

    mutating func compensation(for statistics: InputStatistics, group: Int) -> Compensation {
        if let newest, newest.statistics === statistics, newest.group == group { return newest.compensation }
        let made = Compensation(statistics, group: group)
        newest = (statistics, group, made)
        return made
    }
}

/// The factor M of H = M D Mᵀ.
enum UnitUpperFactor {
    /// Share of the mean diagonal that is added to the diagonal, so that directions the text never took keep small
    /// factors.
    private static let damping = 0.01

    /// Rows are ``Compensation/stride(_:)`` apart.
    ///
    /// - Parameters:
    ///   - offset: where the row-major block starts in `moments`.
    ///   - order: for each row and column of the result, which one of the block it is.
    static func make(moments: [Float], offset: Int, order: [Int]) -> [Float] {
        let count = order.count
        var mean = 0.0
        for index in order { mean += max(0, Double(moments[offset + index * count + index])) }
        mean /= Double(max(1, count))
        var damping = UnitUpperFactor.damping
        while mean > 0, damping < 1e6 {
            var matrix = [Double](repeating: 0, count: count * count)
            for row in 0..<count {
                let source = offset + order[row] * count
                for column in row..<count {
                    matrix[row * count + column] = Double(moments[source + order[column]])
                }
                matrix[row * count + row] = max(0, matrix[row * count + row]) + damping * mean
            }
            if factorize(&matrix, count: count) { return normalized(matrix, count: count) }
            damping *= 10
        }
        // Inputs that were always zero correlate with nothing.
        let stride = Compensation.stride(count)
        var identity = [Float](repeating: 0, count: count * stride)
        for index in 0..<count { identity[index * stride + index] = 1 }
        return identity
    }

    /// Turns the upper triangle of a symmetric matrix into R with R Rᵀ = matrix, from the last row to the first.
    /// - Returns: false when the matrix is not positive definite in double precision.
    private static func factorize(_ matrix: inout [Double], count: Int) -> Bool {
        unsafe matrix.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return true }
            for column in stride(from: count &- 1, through: 0, by: -1) {
                let tail = count &- column &- 1
                let own = unsafe base + (column &* count &+ column)
                let pivot = unsafe own[0] - dot(own + 1, own + 1, count: tail)
                guard pivot.isFinite, pivot > 0 else { return false }
                let root = pivot.squareRoot()
                unsafe own[0] = root
                for row in 0..<column {
                    let other = unsafe base + (row &* count &+ column)
                    unsafe other[0] = (other[0] - dot(other + 1, own + 1, count: tail)) / root
                }
            }
            return true
        }
    }

    @inline(__always)
    private static func dot(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, count: Int) -> Double {
        var sums = SIMD8<Double>()
        var index = 0
        while index &+ 8 <= count {
            let a = unsafe UnsafeRawPointer(x + index).loadUnaligned(as: SIMD8<Double>.self)
            let b = unsafe UnsafeRawPointer(y + index).loadUnaligned(as: SIMD8<Double>.self)
            sums += a * b
            index &+= 8
        }
        var rest = 0.0
        while index < count {
            unsafe rest += x[index] * y[index]
            index &+= 1
        }
        return sums.sum() + rest
    }

    /// R with every column divided by its diagonal element.
    private static func normalized(_ matrix: [Double], count: Int) -> [Float] {
        let stride = Compensation.stride(count)
        var result = [Float](repeating: 0, count: count * stride)
        for row in 0..<count {
            for column in row..<count {
                let diagonal = matrix[column * count + column]
                result[row * stride + column] = Float(matrix[row * count + column] / diagonal)
            }
        }
        return result
    }
}
