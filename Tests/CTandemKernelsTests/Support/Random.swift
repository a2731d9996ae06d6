// SPDX-License-Identifier: Apache-2.0

/// xorshift64*: the same sequence on every machine.
struct Random {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return (state &* 0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Uniform in -1 ..< 1.
    mutating func float() -> Float { Float(Int32(truncatingIfNeeded: next())) * 0x1p-31 }

    mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in scale * float() }
    }

    /// Floats of every kind: NaN, infinities, denormals, signed zeros, and random bit patterns.
    mutating func wildFloats(_ count: Int) -> [Float] {
        let special: [Float] = [
            .nan, .infinity, -.infinity, .leastNonzeroMagnitude, -0.0, 0, .greatestFiniteMagnitude,
            .leastNormalMagnitude, 88.7, -87.4, 0.5, -126.5, 1, -1,
        ]
        return (0..<count).map { _ in
            switch next() % 16 {
            case 0...3: special[Int(next() % UInt64(special.count))]
            case 4: Float(bitPattern: UInt32(truncatingIfNeeded: next()))
            default: float()
            }
        }
    }
}

/// Bit patterns with every NaN made one: the contract leaves a NaN's sign and payload open.
func bits(_ x: [Float]) -> [UInt32] { x.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }
