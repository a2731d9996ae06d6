// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Glibc

/// Source elements as floats.
enum FloatConversion {
    /// The fastest conversions this machine has; all give the same bits.
    private static let kernels: (half: Converter?, brain: Converter?) = {
        guard let table = unsafe tk_isa_at(tk_isa_count() - 1) else { return (nil, nil) }
        return unsafe (table.pointee.f32_from_f16, table.pointee.f32_from_bf16)
    }()

    private typealias Converter =
        @convention(c) (UnsafePointer<UInt16>?, Int, UnsafeMutablePointer<Float>?) -> Void

    /// `source` is little-endian, as are all machines the kernels run on.
    static func convert(
        _ source: UnsafeRawPointer, type: SafetensorsElementType, count: Int, to floats: UnsafeMutablePointer<Float>
    ) {
        let halves = unsafe source.assumingMemoryBound(to: UInt16.self)
        switch type {
        case .f16: unsafe kernels.half?(halves, count, floats)
        case .bf16: unsafe kernels.brain?(halves, count, floats)
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
