// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Foundation
import TandemPack
import Testing

private let quantFolder = sharedCheckpoints.appending(path: "ggml_quants")

private var hasQuants: Bool { FileManager.default.fileExists(atPath: quantFolder.path) }

@Suite("Weights from ggml's blocks")
struct GGUFDequantTests {
    private static let names = [
        "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K",
    ]

    static func dequantize(_ bytes: [UInt8], _ type: GGMLType) throws -> [Float] {
        let packing = try #require(type.packing)
        let count = bytes.count / type.blockLength * type.blockSize
        var floats = [Float](repeating: .nan, count: count)
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe floats.withUnsafeMutableBufferPointer { floats in
                guard let target = floats.baseAddress else { return }
                unsafe Dequantizer.convert(base, packing: packing, count: count, to: target)
            }
        }
        return floats
    }

    @Test(arguments: names)
    func randomBlocksEqualTheFormula(name: String) throws {
        let type = try #require(GGMLType(name: name))
        var numbers = NumberSource(seed: 77)
        let blocks = 200
        var bytes = (0..<blocks * type.blockLength).map { _ in UInt8(min(255, numbers.uniform() * 256)) }
        // Scales of any exponent but infinities and NaNs, which are refused elsewhere.
        for block in 0..<blocks {
            for offset in BlockFormula.scaleOffsets(name) {
                bytes[block * type.blockLength + offset + 1] &= 0xBB
            }
        }
        let found = try GGUFDequantTests.dequantize(bytes, type)
        for (index, value) in found.enumerated() {
            let block = index / type.blockSize * type.blockLength
            let formula = BlockFormula(bytes: Array(bytes[block..<block + type.blockLength]))
            let expected = formula.weight(name, index % type.blockSize)
            #expect(
                value.bitPattern == expected.bitPattern, "\(name) weight \(index): \(value), not \(expected)")
            if value.bitPattern != expected.bitPattern { return }
        }
    }

    /// What ggml made of known weights comes back within half a step of its grid.
    @Test(
        .enabled(if: hasQuants, "../shared/data is not here"),
        arguments: [
            ("Q4_0", "q4_0_64", 0.16), ("Q5_0", "q5_0_64", 0.08), ("Q8_0", "q8_0_64", 0.005),
            ("Q4_K", "q4_k_512", 0.11), ("Q5_K", "q5_k_512", 0.06), ("Q6_K", "q6_k_512", 0.05),
        ] as [(String, String, Float)])
    func blocksOfGGML(name: String, file: String, bound: Float) throws {
        func bytes(_ kind: String) throws -> [UInt8] {
            Array(try Data(contentsOf: quantFolder.appending(path: "\(file)_noim_\(kind).bin")))
        }
        let type = try #require(GGMLType(name: name))
        let blocks = try bytes("expected")
        let input = try GGUFDequantTests.dequantize(bytes("input"), .f32)
        let found = try GGUFDequantTests.dequantize(blocks, type)
        try #require(found.count == input.count)
        let worst = zip(found, input).map { abs($0 - $1) }.max() ?? 1
        #expect(worst < bound, "\(name): \(worst)")
        for (index, value) in found.enumerated() {
            let block = index / type.blockSize * type.blockLength
            let formula = BlockFormula(bytes: Array(blocks[block..<block + type.blockLength]))
            #expect(value.bitPattern == formula.weight(name, index % type.blockSize).bitPattern)
        }
    }

    @Test func infiniteScalesStayVisible() throws {
        let type = try #require(GGMLType(name: "Q8_0"))
        let floats = try GGUFDequantTests.dequantize([0, 0x7C] + [UInt8](repeating: 1, count: 32), type)
        #expect(floats.allSatisfy { $0 == .infinity })
    }

    @Test func typesThatCannotBePacked() throws {
        #expect(GGMLType.packable == ["F32", "F16"] + GGUFDequantTests.names[3...] + ["BF16"])
        for name in ["IQ4_NL", "TQ1_0", "MXFP4", "Q2_K", "Q3_K", "Q8_K", "I32", "F64"] {
            #expect(try #require(GGMLType(name: name)).packing == nil)
        }
        for number in [4, 5, 31, 33, 36, 38, 42, 1000] as [UInt32] {
            #expect(GGMLType(number: number) == nil)
        }
    }
}

/// One weight of a block by the format's definition, as plainly as it can be written.
private struct BlockFormula {
    let bytes: [UInt8]

    /// Where the 16-bit floats of a block stand.
    static func scaleOffsets(_ name: String) -> [Int] {
        switch name {
        case "Q4_0", "Q5_0", "Q8_0", "F16": [0]
        case "Q4_1", "Q5_1", "Q4_K", "Q5_K": [0, 2]
        case "Q6_K": [208]
        default: []
        }
    }

    private func half(_ offset: Int) -> Float {
        tk_f32_from_f16(UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8)
    }

    private func nibble(_ start: Int, _ index: Int, run: Int) -> Int {
        let byte = bytes[start + index / (2 * run) * run + index % run]
        return Int(index % (2 * run) < run ? byte & 15 : byte >> 4)
    }

    private func bit(_ start: Int, _ index: Int) -> Int { Int(bytes[start + index / 8] >> (index % 8)) & 1 }

    /// Six-bit scale and offset codes of a Q4_K or Q5_K group.
    private func codes(_ group: Int) -> (scale: Float, offset: Float) {
        let packed = bytes[4..<16].map { Int($0) }
        if group < 4 { return (Float(packed[group] & 63), Float(packed[group + 4] & 63)) }
        return (
            Float(packed[group + 4] & 15 | (packed[group - 4] >> 6) * 16),
            Float(packed[group + 4] >> 4 | (packed[group] >> 6) * 16)
        )
    }

    func weight(_ name: String, _ i: Int) -> Float {
        switch name {
        case "F32": return Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[$1]) << (8 * $1) })
        case "F16": return half(0)
        case "BF16": return Float(bitPattern: (UInt32(bytes[0]) | UInt32(bytes[1]) << 8) << 16)
        case "Q4_0": return half(0) * Float(nibble(2, i, run: 16) - 8)
        case "Q4_1": return half(0) * Float(nibble(4, i, run: 16)) + half(2)
        case "Q5_0": return half(0) * Float(nibble(6, i, run: 16) + 16 * bit(2, i) - 16)
        case "Q5_1": return half(0) * Float(nibble(8, i, run: 16) + 16 * bit(4, i)) + half(2)
        case "Q8_0": return half(0) * Float(Int8(bitPattern: bytes[2 + i]))
        case "Q4_K":
            let (scale, offset) = codes(i / 32)
            return half(0) * scale * Float(nibble(16, i, run: 32)) - half(2) * offset
        case "Q5_K":
            let (scale, offset) = codes(i / 32)
            let fifth = Int(bytes[16 + i % 32] >> (i / 32)) & 1
            return half(0) * scale * Float(nibble(48, i, run: 32) + 16 * fifth) - half(2) * offset
        default:
            // Q6_K: quarters of 32 in each half of 128; two of them share 64 bytes of low bits.
            let (part, quarter, lane) = (i / 128, i % 128 / 32, i % 32)
            let low = bytes[64 * part + 32 * (quarter % 2) + lane] >> (quarter < 2 ? 0 : 4) & 15
            let high = bytes[128 + 32 * part + lane] >> (2 * quarter) & 3
            let scale = Float(Int8(bitPattern: bytes[192 + i / 16]))
            return half(208) * scale * Float(Int(low) + 16 * Int(high) - 32)
        }
    }
}
