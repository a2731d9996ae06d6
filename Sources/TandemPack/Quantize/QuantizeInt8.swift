// SPDX-License-Identifier: Apache-2.0

/// Round to nearest, symmetric, 8 bits: scale = largest magnitude / 127 as a 16-bit float, q = round(w / scale).
enum QuantizeInt8 {
    static let levels: Float = 127
    /// A matrix below this (127 times the smallest 16-bit float) would lose most of its 8 bits.
    static let smallestMagnitude: Float = 127 * 0x1p-24

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
            guard let scale = GroupScale(covering: magnitude, levels: levels) else {
                let column = unsafe firstColumn(row, from: start, count: group, magnitude: magnitude)
                throw .tooLarge(column: column, value: unsafe row[column])
            }
            unsafe scales[position] = scale.bits
            error.largestWeight = max(error.largestWeight, magnitude)
            unsafe storeQuantized(
                row, from: start, count: group, scale: scale.value, range: (-levels, levels), into: values,
                error: &error)
            start &+= group
            position &+= stride
        }
    }
}
