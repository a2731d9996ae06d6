// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import TandemJSON

/// A tensor for a safetensors file made by a test.
struct TestTensor {
    var name: String
    var type: String
    var shape: [Int]
    /// Exactly representable in `type`.
    var values: [Float]

    /// Little-endian elements; types that are not weights become zeros of `elementSize` bytes.
    var bytes: [UInt8] {
        switch type {
        case "F32": values.flatMap { littleEndian($0.bitPattern) }
        case "F16": values.flatMap { littleEndian(tk_f16_from_f32($0)) }
        case "BF16": values.flatMap { littleEndian(UInt16($0.bitPattern >> 16)) }
        case "F64", "I64": [UInt8](repeating: 0, count: values.count * 8)
        default: [UInt8](repeating: 0, count: values.count)
        }
    }

    /// `value` rounded towards zero to what `type` can hold.
    static func representable(_ value: Float, _ type: String) -> Float {
        switch type {
        case "BF16": Float(bitPattern: value.bitPattern & 0xFFFF_0000)
        case "F16": tk_f32_from_f16(tk_f16_from_f32(value))
        default: value
        }
    }
}

func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

/// A safetensors file with these tensors, one after the other.
func safetensors(_ tensors: [TestTensor]) -> [UInt8] {
    var header = JSONObject()
    var data: [UInt8] = []
    for tensor in tensors {
        let bytes = tensor.bytes
        header[tensor.name] = [
            "dtype": .string(tensor.type),
            "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
            "data_offsets": [.integer(Int64(data.count)), .integer(Int64(data.count + bytes.count))],
        ]
        data += bytes
    }
    return safetensors(header: Array(JSONValue.object(header).serialized(sortedKeys: false).utf8), data: data)
}

func safetensors(header: [UInt8], data: [UInt8]) -> [UInt8] {
    littleEndian(UInt64(header.count)) + header + data
}

/// Deterministic numbers that look normally distributed.
struct NumberSource {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493 }

    mutating func uniform() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) / Float(1 << 24)
    }

    mutating func normal() -> Float { (0..<12).reduce(Float(-6)) { sum, _ in sum + uniform() } }
}
