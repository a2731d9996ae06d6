// SPDX-License-Identifier: Apache-2.0

/// Writes round(w / scale), clamped to `range`, for the weights of one group, and adds what that changes to `error`.
@inline(__always)
func storeQuantized(
    _ row: UnsafePointer<Float>, from start: Int, count: Int, scale: Float, range: (low: Float, high: Float),
    into values: UnsafeMutablePointer<Int8>, error: inout QuantizationError
) {
    // A group of zeros has scale 0; any divisor gives the zeros wanted.
    let divisor = Lanes(repeating: scale == 0 ? 1 : scale)
    let factor = Lanes(repeating: scale)
    var squaredError = Lanes()
    var squaredWeight = Lanes()
    var largest = Lanes()
    var index = start
    while index < start + count {
        let weights = unsafe Lanes.load(row, at: index)
        let quantized = (weights / divisor).rounded(from: range.low, to: range.high)
        let difference = weights - quantized.floats * factor
        squaredError += difference * difference
        squaredWeight += weights * weights
        largest = largest.larger(difference.magnitudes)
        unsafe UnsafeMutableRawPointer(values + index).storeBytes(
            of: SIMD8<Int8>(truncatingIfNeeded: quantized.integers), as: SIMD8<Int8>.self)
        index &+= 8
    }
    error.squaredError += Double(squaredError.sum())
    error.squaredWeight += Double(squaredWeight.sum())
    error.largestError = max(error.largestError, largest.max())
}
