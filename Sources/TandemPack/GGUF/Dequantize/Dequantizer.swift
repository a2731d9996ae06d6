// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Glibc

/// Turns rows of ggml's blocks into floats, bit for bit as ggml does.
///
/// Products of a block's scale with a code are exact in 32-bit floats (11 + 6 + 6 bits at most), so each weight is
/// rounded once, when its offset is added, and no order of operations gives other bits.
///
/// Thread safety: the functions have no state.
package enum Dequantizer {
    /// Converts `count` elements, a multiple of the type's block size.
    ///
    /// - Parameters:
    ///   - source: the blocks, at any alignment.
    ///   - floats: room for `count` elements.
    @unsafe
    package static func convert(
        _ source: UnsafeRawPointer, packing: GGMLType.Packing, count: Int,
        to floats: UnsafeMutablePointer<Float>
    ) {
        switch packing {
        case .f32: unsafe memcpy(floats, source, count * 4)
        case .f16: unsafe FloatConversion.convert(source, type: .f16, count: count, to: floats)
        case .bf16: unsafe FloatConversion.convert(source, type: .bf16, count: count, to: floats)
        case .q4Zero: unsafe q4Zero(source, blocks: count / 32, to: floats)
        case .q4One: unsafe q4One(source, blocks: count / 32, to: floats)
        case .q5Zero: unsafe q5Zero(source, blocks: count / 32, to: floats)
        case .q5One: unsafe q5One(source, blocks: count / 32, to: floats)
        case .q8Zero: unsafe q8Zero(source, blocks: count / 32, to: floats)
        case .q4K: unsafe q4K(source, blocks: count / 256, to: floats)
        case .q5K: unsafe q5K(source, blocks: count / 256, to: floats)
        case .q6K: unsafe q6K(source, blocks: count / 256, to: floats)
        }
    }
}

// MARK: Sixteen weights at a time

typealias Codes = SIMD16<UInt8>
typealias Weights = SIMD16<Float>

extension Codes {
    @inline(__always)
    static func load(_ source: UnsafeRawPointer, at offset: Int) -> Codes {
        unsafe source.loadUnaligned(fromByteOffset: offset, as: Codes.self)
    }

    @inline(__always)
    var lowNibbles: Codes { self & 15 }

    @inline(__always)
    var highNibbles: Codes { self &>> 4 }

    /// scale · (code − zero)
    @inline(__always)
    func weights(scale: Float, zero: Float) -> Weights {
        let shifted = floats - Weights(repeating: zero)
        return shifted * Weights(repeating: scale)
    }

    /// scale · code + offset
    @inline(__always)
    func weights(scale: Float, offset: Float) -> Weights {
        let scaled = floats * Weights(repeating: scale)
        return scaled + Weights(repeating: offset)
    }

    /// scale · code, the code signed.
    @inline(__always)
    func signedWeights(scale: Float) -> Weights { signedFloats * Weights(repeating: scale) }

    @inline(__always)
    private var floats: Weights {
        var wide = SIMD16<Int32>()
        for lane in 0..<16 { wide[lane] = Int32(self[lane]) }
        return Weights(wide)
    }

    @inline(__always)
    private var signedFloats: Weights {
        var wide = SIMD16<Int32>()
        for lane in 0..<16 { wide[lane] = Int32(Int8(bitPattern: self[lane])) }
        return Weights(wide)
    }
}

extension Weights {
    @inline(__always)
    func store(_ floats: UnsafeMutablePointer<Float>, at index: Int) {
        unsafe UnsafeMutableRawPointer(floats).storeBytes(
            of: self, toByteOffset: index &* 4, as: Weights.self)
    }
}

/// A 16-bit float of a block.
@inline(__always)
func blockScale(_ source: UnsafeRawPointer, at offset: Int) -> Float {
    let bits = unsafe source.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
    return tk_f32_from_f16(UInt16(littleEndian: bits))
}
