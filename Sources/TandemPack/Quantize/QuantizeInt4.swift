// SPDX-License-Identifier: Apache-2.0

/// Round to nearest, symmetric, 4 bits: q in -8 … 7, the scale of each group chosen by its squared error.
///
/// The weight of largest magnitude, m, sits on the side that has eight steps, so a scale is m / -d and may be negative.
/// d < 8 leaves room, d > 8 clips m in favour of finer steps for the others. After the best d, one least-squares
/// step, scale = Σwq / Σq², is kept where it helps.
enum QuantizeInt4 {
    static let low: Float = -8
    static let high: Float = 7
    /// A matrix below this (8 times the smallest 16-bit float) would lose most of its 4 bits.
    static let smallestMagnitude: Float = 8 * 0x1p-24

    /// Values of d tried for every group.
    private static let divisors: [Float] = [8, 7, 7.5, 8.5, 9, 9.5, 10, 11, 12.5, 14]

    /// Quantises one row of `count` weights, a multiple of `group`; `group` is a multiple of 32.
    ///
    /// - Parameters:
    ///   - scales: receives one scale per group, `stride` elements apart.
    static func quantize(
        row: UnsafePointer<Float>, count: Int, group: Int, into values: UnsafeMutablePointer<Int8>,
        scales: UnsafeMutablePointer<UInt16>, stride: Int, error: inout QuantizationError
    ) throws(WeightFault) {
        var start = 0
        var position = 0
        while start < count {
            let magnitude = try unsafe largestMagnitude(row, from: start, count: group)
            let scale = try unsafe bestScale(row: row, from: start, count: group, magnitude: magnitude)
            unsafe scales[position] = scale.bits
            error.largestWeight = max(error.largestWeight, magnitude)
            unsafe storeQuantized(
                row, from: start, count: group, scale: scale.value, range: (low, high), into: values,
                error: &error)
            start &+= group
            position &+= stride
        }
    }

    @inline(__always)
    private static func bestScale(
        row: UnsafePointer<Float>, from start: Int, count: Int, magnitude: Float
    ) throws(WeightFault) -> GroupScale {
        guard magnitude > 0 else { return .zero }
        let column = unsafe firstColumn(row, from: start, count: count, magnitude: magnitude)
        let extreme = unsafe row[column]
        var best = GroupScale.zero
        var least = Trial(squaredError: .infinity, refined: 0)
        for divisor in divisors {
            guard let scale = GroupScale(nearest: extreme / -divisor) else {
                throw .tooLarge(column: column, value: extreme)
            }
            let trial = unsafe evaluate(row: row, from: start, count: count, scale: scale.value)
            if trial.squaredError < least.squaredError {
                best = scale
                least = trial
            }
        }
        if let refined = GroupScale(nearest: least.refined), refined.value != 0 {
            let trial = unsafe evaluate(row: row, from: start, count: count, scale: refined.value)
            if trial.squaredError < least.squaredError { best = refined }
        }
        return best
    }

    private struct Trial {
        let squaredError: Float
        /// The least-squares scale for the same integers.
        let refined: Float
    }

    @inline(__always)
    private static func evaluate(
        row: UnsafePointer<Float>, from start: Int, count: Int, scale: Float
    ) -> Trial {
        let inverse = Lanes(repeating: 1 / scale)
        let factor = Lanes(repeating: scale)
        var squaredError = Lanes()
        var product = Lanes()
        var squares = Lanes()
        var index = start
        while index < start + count {
            let weights = unsafe Lanes.load(row, at: index)
            let quantized = (weights * inverse).rounded(from: low, to: high).floats
            let difference = weights - quantized * factor
            squaredError += difference * difference
            product += weights * quantized
            squares += quantized * quantized
            index &+= 8
        }
        let total = squares.sum()
        return Trial(squaredError: squaredError.sum(), refined: total > 0 ? product.sum() / total : 0)
    }
}
