// SPDX-License-Identifier: Apache-2.0

/// Blocks of 256 weights whose groups have scales of their own, which are codes under the block's scale.
extension Dequantizer {
    /// Eight groups of 32: (d · s) · code − (dmin · m). 144 bytes: d, dmin, 12 bytes of s and m, 128 of codes; of each 32
    /// of them the low halves are one group, the high halves the next.
    static func q4K(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 144
            let scales = unsafe GroupScales(source, at: block)
            for pair in 0..<4 {
                let low = scales.group(2 &* pair)
                let high = scales.group(2 &* pair &+ 1)
                let first = index &* 256 &+ pair &* 64
                for half in 0..<2 {
                    let codes = unsafe Codes.load(source, at: block &+ 16 &+ pair &* 32 &+ half &* 16)
                    unsafe low.weights(codes.lowNibbles).store(floats, at: first &+ half &* 16)
                    unsafe high.weights(codes.highNibbles).store(floats, at: first &+ 32 &+ half &* 16)
                }
            }
        }
    }

    /// As Q4_K, with a fifth bit for every code: 176 bytes, 32 bytes of these bits in front of the codes. Bit g of byte j
    /// belongs to weight j of group g.
    static func q5K(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 176
            let scales = unsafe GroupScales(source, at: block)
            for pair in 0..<4 {
                let low = scales.group(2 &* pair)
                let high = scales.group(2 &* pair &+ 1)
                let first = index &* 256 &+ pair &* 64
                for half in 0..<2 {
                    let codes = unsafe Codes.load(source, at: block &+ 48 &+ pair &* 32 &+ half &* 16)
                    let bits = unsafe Codes.load(source, at: block &+ 16 &+ half &* 16)
                    let fifths = bits &>> UInt8(2 &* pair)
                    let lowCodes = codes.lowNibbles | ((fifths & 1) &<< 4)
                    let highCodes = codes.highNibbles | ((fifths & 2) &<< 3)
                    unsafe low.weights(lowCodes).store(floats, at: first &+ half &* 16)
                    unsafe high.weights(highCodes).store(floats, at: first &+ 32 &+ half &* 16)
                }
            }
        }
    }

    /// Sixteen groups of 16: (d · s) · (code − 32), s a signed byte. 210 bytes: 128 of low halves, 64 of two high bits
    /// each, 16 of s, d.
    static func q6K(_ source: UnsafeRawPointer, blocks: Int, to floats: UnsafeMutablePointer<Float>) {
        for index in 0..<blocks {
            let block = index &* 210
            let scale = unsafe blockScale(source, at: block &+ 208)
            let scales = unsafe Codes.load(source, at: block &+ 192).signedWeights(scale: scale)
            for part in 0..<2 {
                for half in 0..<2 {
                    let lows = block &+ 64 &* part &+ 16 &* half
                    let first = unsafe Codes.load(source, at: lows)
                    let second = unsafe Codes.load(source, at: lows &+ 32)
                    let high = unsafe Codes.load(source, at: block &+ 128 &+ 32 &* part &+ 16 &* half)
                    let group = 8 &* part &+ half
                    let target = index &* 256 &+ part &* 128 &+ half &* 16
                    func store(_ codes: Codes, _ quarter: Int) {
                        let weights = codes.weights(scale: scales[group &+ 2 &* quarter], zero: 32)
                        unsafe weights.store(floats, at: target &+ 32 &* quarter)
                    }
                    store(first.lowNibbles | ((high & 3) &<< 4), 0)
                    store(second.lowNibbles | ((high & 12) &<< 2), 1)
                    store(first.highNibbles | (high & 48), 2)
                    store(second.highNibbles | ((high & 192) &>> 2), 3)
                }
            }
        }
    }
}

/// Scale and offset of the eight groups of a Q4_K or Q5_K block: six bits each, packed into 12 bytes behind d and dmin.
private struct GroupScales {
    private let scale: Float
    private let minimum: Float
    /// The block's first 16 bytes.
    private let head: Codes

    struct Group {
        let scale: Float
        let offset: Float

        @inline(__always)
        func weights(_ codes: Codes) -> Weights { codes.weights(scale: scale, offset: offset) }
    }

    @inline(__always)
    init(_ source: UnsafeRawPointer, at block: Int) {
        unsafe scale = blockScale(source, at: block)
        unsafe minimum = blockScale(source, at: block &+ 2)
        unsafe head = Codes.load(source, at: block)
    }

    /// Groups 0…3 have their six bits in the low bits of bytes g and g + 4; groups 4…7 have four bits in the halves of
    /// byte g + 4 and the upper two at the top of bytes g − 4 and g.
    @inline(__always)
    func group(_ group: Int) -> Group {
        let scaleCode: UInt8
        let offsetCode: UInt8
        if group < 4 {
            scaleCode = byte(group) & 63
            offsetCode = byte(group &+ 4) & 63
        } else {
            let both = byte(group &+ 4)
            scaleCode = (both & 15) | ((byte(group &- 4) &>> 6) &<< 4)
            offsetCode = (both &>> 4) | ((byte(group) &>> 6) &<< 4)
        }
        return Group(scale: scale * Float(scaleCode), offset: -(minimum * Float(offsetCode)))
    }

    @inline(__always)
    private func byte(_ index: Int) -> UInt8 { head[4 &+ index] }
}
