// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Glibc

/// Source elements as floats.
enum FloatConversion {
    /// The fastest conversion this machine has; all give the same bits.
    private static let convertHalves = unsafe tk_isa_at(tk_isa_count() - 1)?.pointee.f32_from_f16

    /// `source` is little-endian, as are all machines the kernels run on.
    static func convert(
        _ source: UnsafeRawPointer, type: SafetensorsElementType, count: Int,
        to floats: UnsafeMutablePointer<Float>
    ) {
        let halves = unsafe source.assumingMemoryBound(to: UInt16.self)
        switch type {
        case .f16:
            if let convert = unsafe convertHalves {
                unsafe convert(halves, count, floats)
            } else {
                for index in 0..<count { unsafe floats[index] = tk_f32_from_f16(halves[index]) }
            }
        case .bf16:
            for index in 0..<count {
                unsafe floats[index] = Float(bitPattern: UInt32(halves[index]) << 16)
            }
        default: unsafe memcpy(floats, source, count * 4)
        }
    }

    /// The largest magnitude of `count` floats.
    static func largestMagnitude(_ row: UnsafePointer<Float>, count: Int) throws(WeightFault) -> Float {
        var largest: UInt32 = 0
        for index in 0..<count {
            largest = unsafe max(largest, row[index].bitPattern & 0x7FFF_FFFF)
        }
        guard largest < 0x7F80_0000 else {
            for column in 0..<count where unsafe !row[column].isFinite {
                throw .nonFinite(column: column, value: unsafe row[column])
            }
            return .infinity
        }
        return Float(bitPattern: largest)
    }
}
