// SPDX-License-Identifier: Apache-2.0

/// Eight weights at a time; all quantiser loops run over whole groups, which are multiples of 32.
typealias Lanes = SIMD8<Float>

extension Lanes {
    /// Adding this to |x| < 2²² rounds to an integer, half to even, which then stands in the low bits.
    private static let rounder = Lanes(repeating: 12_582_912)
    private static let rounderBits = SIMD8<Int32>(repeating: 0x4B40_0000)

    @inline(__always)
    static func load(_ source: UnsafePointer<Float>, at index: Int) -> Lanes {
        unsafe UnsafeRawPointer(source + index).loadUnaligned(as: Lanes.self)
    }

    /// Rounded to nearest, half to even, and clamped, as integers and as floats.
    @inline(__always)
    func rounded(from low: Float, to high: Float) -> (integers: SIMD8<Int32>, floats: Lanes) {
        let low = Lanes(repeating: low)
        let high = Lanes(repeating: high)
        let clamped = replacing(with: low, where: self .< low).replacing(with: high, where: self .> high)
        let shifted = clamped + Lanes.rounder
        let integers = unsafe unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- Lanes.rounderBits
        return (integers, shifted - Lanes.rounder)
    }

    @inline(__always)
    var magnitudeBits: SIMD8<Int32> {
        unsafe unsafeBitCast(self, to: SIMD8<Int32>.self) & SIMD8<Int32>(repeating: 0x7FFF_FFFF)
    }

    @inline(__always)
    var magnitudes: Lanes { unsafe unsafeBitCast(magnitudeBits, to: Lanes.self) }

    @inline(__always)
    func larger(_ other: Lanes) -> Lanes { replacing(with: other, where: other .> self) }
}

/// The largest magnitude of `count` weights at `group`.
///
/// - Throws: ``WeightFault/nonFinite(column:value:)`` with the column relative to `row`.
@inline(__always)
func largestMagnitude(
    _ row: UnsafePointer<Float>, from start: Int, count: Int
) throws(WeightFault) -> Float {
    var largest = SIMD8<Int32>(repeating: 0)
    var index = start
    while index < start + count {
        let bits = unsafe Lanes.load(row, at: index).magnitudeBits
        largest = largest.replacing(with: bits, where: bits .> largest)
        index &+= 8
    }
    let bits = largest.max()
    guard bits < 0x7F80_0000 else { throw unsafe firstNonFinite(row, from: start, count: count) }
    return Float(bitPattern: UInt32(bits))
}

/// The column of the first weight whose magnitude is `magnitude`.
func firstColumn(
    _ row: UnsafePointer<Float>, from start: Int, count: Int, magnitude: Float
) -> Int {
    for column in start..<start + count where unsafe abs(row[column]) == magnitude { return column }
    return start
}

private func firstNonFinite(_ row: UnsafePointer<Float>, from start: Int, count: Int) -> WeightFault {
    for column in start..<start + count where unsafe !row[column].isFinite {
        return .nonFinite(column: column, value: unsafe row[column])
    }
    return .nonFinite(column: start, value: .nan)
}
