// SPDX-License-Identifier: Apache-2.0

/// What quantising some weights changed, accumulated in a fixed order.
struct QuantizationError: Sendable, Equatable {
    /// Sum of squares of the differences, and of the weights themselves.
    var squaredError = 0.0
    var squaredWeight = 0.0
    /// Largest difference.
    var largestError: Float = 0
    /// Largest magnitude among the weights.
    var largestWeight: Float = 0

    init() {}

    mutating func add(_ other: QuantizationError) {
        squaredError += other.squaredError
        squaredWeight += other.squaredWeight
        largestError = max(largestError, other.largestError)
        largestWeight = max(largestWeight, other.largestWeight)
    }

    /// Root mean square of the difference over that of the weights; 0 when all weights are 0.
    var relativeRMS: Double {
        squaredWeight > 0 ? (squaredError / squaredWeight).squareRoot() : 0
    }
}

/// A weight that cannot be quantised, by its position in the row that was being read.
enum WeightFault: Error, Sendable, Equatable {
    case nonFinite(column: Int, value: Float)
    case tooLarge(column: Int, value: Float)
}
