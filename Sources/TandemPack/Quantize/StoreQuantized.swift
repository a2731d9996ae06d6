// SPDX-License-Identifier: Apache-2.0

/// Writes the integers nearest to (w - offset) / scale, clamped to `range`, for the weights of one group, and adds
/// what that changes to `error`. With `valid` less than the group's count, the columns beyond do not count.
@inline(__always)
func storeQuantized(
    _ row: UnsafePointer<Float>, from start: Int, count: Int, valid: Int, grid: GroupGrid,
    range: (low: Float, high: Float), into values: UnsafeMutablePointer<Int8>, error: inout QuantizationError
) {
    // A group of equal weights has scale 0; any divisor gives the zeros wanted.
    let divisor = Lanes(repeating: grid.scale == 0 ? 1 : grid.scale)
    let factor = Lanes(repeating: grid.scale)
    let offset = Lanes(repeating: grid.offset)
    var squaredError = Lanes()
    var squaredWeight = Lanes()
    var largest = Lanes()
    var index = 0
    while index < count {
        let weights = unsafe Lanes.load(row, at: start &+ index)
        let quantized = ((weights - offset) / divisor).rounded(from: range.low, to: range.high)
        var difference = weights - (quantized.floats * factor + offset)
        var counted = weights
        if index &+ 8 > valid {
            let beyond = Lanes(0, 1, 2, 3, 4, 5, 6, 7) + Float(index) .>= Float(valid)
            difference.replace(with: 0, where: beyond)
            counted.replace(with: 0, where: beyond)
        }
        squaredError += difference * difference
        squaredWeight += counted * counted
        largest = largest.larger(difference.magnitudes)
        unsafe UnsafeMutableRawPointer(values + start + index).storeBytes(
            of: SIMD8<Int8>(truncatingIfNeeded: quantized.integers), as: SIMD8<Int8>.self)
        index &+= 8
    }
    error.squaredError += Double(squaredError.sum())
    error.squaredWeight += Double(squaredWeight.sum())
    error.largestError = max(error.largestError, largest.max())
}
