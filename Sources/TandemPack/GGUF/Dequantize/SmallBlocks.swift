// SPDX-License-Identifier: Apache-2.0

/// Blocks of 32 weights with one scale: `d`, in the types ending in 1 an offset `m`, in the 5-bit types 32 high bits,
/// then the codes. Byte j of 4-bit codes holds weight j in its low and weight j + 16 in its high half.
extension Dequantizer {
    /// d · (code − 8); 18 bytes.
    static func q4Zero(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 18
            let scale = unsafe blockScale(source, at: block)
            let codes = unsafe Codes.load(source, at: block &+ 2)
            unsafe codes.lowNibbles.weights(scale: scale, zero: 8).store(floats, at: index &* 32)
            unsafe codes.highNibbles.weights(scale: scale, zero: 8).store(floats, at: index &* 32 &+ 16)
        }
    }

    /// d · code + m; 20 bytes.
    static func q4One(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 20
            let scale = unsafe blockScale(source, at: block)
            let offset = unsafe blockScale(source, at: block &+ 2)
            let codes = unsafe Codes.load(source, at: block &+ 4)
            let low = codes.lowNibbles.weights(scale: scale, offset: offset)
            let high = codes.highNibbles.weights(scale: scale, offset: offset)
            unsafe low.store(floats, at: index &* 32)
            unsafe high.store(floats, at: index &* 32 &+ 16)
        }
    }

    /// d · (code − 16); 22 bytes.
    static func q5Zero(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 22
            let scale = unsafe blockScale(source, at: block)
            let codes = unsafe FiveBitCodes(source, bits: block &+ 2, nibbles: block &+ 6)
            unsafe codes.low.weights(scale: scale, zero: 16).store(floats, at: index &* 32)
            unsafe codes.high.weights(scale: scale, zero: 16).store(floats, at: index &* 32 &+ 16)
        }
    }

    /// d · code + m; 24 bytes.
    static func q5One(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 24
            let scale = unsafe blockScale(source, at: block)
            let offset = unsafe blockScale(source, at: block &+ 2)
            let codes = unsafe FiveBitCodes(source, bits: block &+ 4, nibbles: block &+ 8)
            unsafe codes.low.weights(scale: scale, offset: offset).store(floats, at: index &* 32)
            unsafe codes.high.weights(scale: scale, offset: offset).store(floats, at: index &* 32 &+ 16)
        }
    }

    /// d · code, the code a signed byte; 34 bytes.
    static func q8Zero(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 34
            let scale = unsafe blockScale(source, at: block)
            let first = unsafe Codes.load(source, at: block &+ 2).signedWeights(scale: scale)
            let second = unsafe Codes.load(source, at: block &+ 18).signedWeights(scale: scale)
            unsafe first.store(floats, at: index &* 32)
            unsafe second.store(floats, at: index &* 32 &+ 16)
        }
    }
}

/// The 32 codes of a 5-bit block: four bits in nibbles, the fifth of code i in bit i of 32.
private struct FiveBitCodes {
    let low: Codes
    let high: Codes

    /// - Parameters: offsets of the 32 bits and of the 16 bytes of nibbles.
    @inline(__always)
    init(_ source: UnsafeRawPointer, bits: Int, nibbles: Int) {
        let fifths = unsafe UInt32(littleEndian: source.loadUnaligned(fromByteOffset: bits, as: UInt32.self))
        let codes = unsafe Codes.load(source, at: nibbles)
        low = codes.lowNibbles | FiveBitCodes.fifthBits(fifths)
        high = codes.highNibbles | FiveBitCodes.fifthBits(fifths &>> 16)
    }

    /// Bit i of the low 16, moved to bit 4 of lane i.
    @inline(__always)
    private static func fifthBits(_ bits: UInt32) -> Codes {
        let selectors = SIMD8<UInt8>(1, 2, 4, 8, 16, 32, 64, 128)
        let low = SIMD8(repeating: UInt8(truncatingIfNeeded: bits)) & selectors
        let high = SIMD8(repeating: UInt8(truncatingIfNeeded: bits &>> 8)) & selectors
        let bytes = Codes(lowHalf: low, highHalf: high)
        return Codes(repeating: 0).replacing(with: 16, where: bytes .!= 0)
    }
}
