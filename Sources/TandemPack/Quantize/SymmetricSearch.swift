// SPDX-License-Identifier: Apache-2.0

/// Scales of symmetric groups.
enum SymmetricSearch {
    /// The range of signed 4-bit integers.
    static let int4: (low: Float, high: Float) = (-8, 7)
    static let int8: (low: Float, high: Float) = (-127, 127)

    /// Where the weight of largest magnitude is put: on -8 exactly, or with room, or clipped in favour of finer steps
    /// for the others; negative values put it on the side that has seven steps.
    private static let divisors: [Float] = [
        8, 7, 7.5, 8.5, 9, 9.5, 10, 11, 12.5, 14, 6, -7, -6.5, -7.5, -8.5, -10,
    ]

    /// 8 bits: the scale with which the largest magnitude becomes 127.
    @inline(__always)
    static func covering8(_ group: GroupWeights) throws(WeightFault) -> GroupScale {
        let magnitude = try group.largestMagnitude()
        guard let scale = GroupScale(covering: magnitude, levels: int8.high) else {
            let (column, value) = group.first(magnitude: magnitude)
            throw .tooLarge(column: column, value: value)
        }
        return scale
    }

    /// 4 bits: the scale with which the weight of largest magnitude becomes -8.
    static func covering4(_ group: GroupWeights) throws(WeightFault) -> GroupScale {
        let magnitude = try group.largestMagnitude()
        guard magnitude > 0 else { return .zero }
        let (column, extreme) = group.first(magnitude: magnitude)
        guard let scale = GroupScale(nearest: extreme / -8) else {
            throw .tooLarge(column: column, value: extreme)
        }
        return scale
    }

    /// 4 bits: the scale with the least weighted squared error found by trying divisors of the largest weight, each
    /// followed by the least-squares scale for the integers it gives.
    static func best4(_ group: GroupWeights) throws(WeightFault) -> GroupScale {
        let magnitude = try group.largestMagnitude()
        guard magnitude > 0 else { return .zero }
        let (column, extreme) = group.first(magnitude: magnitude)
        var best = GroupScale.zero
        var least = Float.infinity
        for divisor in divisors {
            // Only the smallest divisors can need a scale beyond the largest 16-bit float.
            guard let scale = GroupScale(nearest: extreme / -divisor) else {
                if divisor == 8 { throw .tooLarge(column: column, value: extreme) }
                continue
            }
            let trial = evaluate(group, scale: scale.value)
            if trial.squaredError < least { (best, least) = (scale, trial.squaredError) }
            guard let refined = GroupScale(nearest: trial.refined), refined.value != 0 else { continue }
            let second = evaluate(group, scale: refined.value)
            if second.squaredError < least { (best, least) = (refined, second.squaredError) }
        }
        return best
    }

    private struct Trial {
        let squaredError: Float
        /// The least-squares scale for the same integers.
        let refined: Float
    }

    @inline(__always)
    private static func evaluate(_ group: GroupWeights, scale: Float) -> Trial {
        let inverse = Lanes(repeating: 1 / scale)
        let factor = Lanes(repeating: scale)
        var squaredError = Lanes()
        var product = Lanes()
        var squares = Lanes()
        var index = 0
        while index < group.count {
            let weights = unsafe Lanes.load(group.weights, at: index)
            let importance = unsafe Lanes.load(group.importance, at: index)
            let quantized = (weights * inverse).rounded(from: int4.low, to: int4.high).floats
            let difference = weights - quantized * factor
            let scaled = importance * quantized
            squaredError += importance * difference * difference
            product += scaled * weights
            squares += scaled * quantized
            index &+= 8
        }
        let total = squares.sum()
        return Trial(squaredError: squaredError.sum(), refined: total > 0 ? product.sum() / total : 0)
    }
}
