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
    /// Mean square of what the difference makes of the outputs over the calibration text, and of the outputs themselves,
    /// summed over a sample of the rows. Zero without calibration.
    var outputError = 0.0
    var outputPower = 0.0

    init() {}

    mutating func add(_ other: QuantizationError) {
        squaredError += other.squaredError
        squaredWeight += other.squaredWeight
        largestError = max(largestError, other.largestError)
        largestWeight = max(largestWeight, other.largestWeight)
        outputError += other.outputError
        outputPower += other.outputPower
    }

    /// Root mean square of the difference over that of the weights; 0 when all weights are 0.
    var relativeRMS: Double {
        squaredWeight > 0 ? (squaredError / squaredWeight).squareRoot() : 0
    }

    /// Root mean square of the outputs' difference over that of the outputs; nil without calibration.
    var relativeOutput: Double? {
        outputPower > 0 ? (max(0, outputError) / outputPower).squareRoot() : nil
    }
}

/// A weight that cannot be quantised, by its position in the row that was being read.
enum WeightFault: Error, Sendable, Equatable {
    case nonFinite(column: Int, value: Float)
    case tooLarge(column: Int, value: Float)

    /// The same fault in a row where the columns that were searched start at `start`.
    func moved(by start: Int) -> WeightFault {
        switch self {
        case .nonFinite(let column, let value): .nonFinite(column: column + start, value: value)
        case .tooLarge(let column, let value): .tooLarge(column: column + start, value: value)
        }
    }
}

/// A fault with the row of the panel that has it.
struct PanelFault: Error, Sendable, Equatable {
    let row: Int
    let fault: WeightFault
}
