// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels

/// Element type of a key/value cache.
public enum KeyValueType: String, Sendable, CaseIterable {
    /// 32-bit floats.
    case f32
    /// 16-bit floats: half the memory, a relative error of 2⁻¹¹ per element.
    case f16
    /// 8-bit integers with one 16-bit scale for every 32 of them, the numbers of llama.cpp's `q8_0`: 17/32 of the memory of
    /// ``f16``, an error of at most 1/254 of the largest of the 32 elements. Queries are rounded in the same way.
    case int8

    var kernelType: Int32 {
        switch self {
        case .f32: TK_KV_F32
        case .f16: TK_KV_F16
        case .int8: TK_KV_I8
        }
    }
}
