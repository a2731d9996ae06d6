// SPDX-License-Identifier: Apache-2.0

/// Values of weights that come from no checkpoint. The same place in the same tensor always has the same value.
enum Filler: Sendable {
    case constant(Float)
    /// Noise with this standard deviation, roughly bell-shaped, so that it quantises and compresses as weights do.
    case noise(seed: UInt64, deviation: Float)

    /// Fills `count` elements of row `row`.
    func fill(_ target: UnsafeMutablePointer<Float>, count: Int, row: Int) {
        switch self {
        case .constant(let value):
            unsafe target.update(repeating: value, count: count)
        case .noise(let seed, let deviation):
            var state = seed &+ UInt64(truncatingIfNeeded: row) &* 0x9E37_79B9_7F4A_7C15
            // The sum of four uniform 16-bit numbers, centred, has the deviation 2^16 / √3.
            let scale = deviation * 1.732_050_8 / 65536
            for index in 0..<count {
                state = state &+ 0x9E37_79B9_7F4A_7C15
                var bits = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
                bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
                bits ^= bits >> 31
                let sum =
                    (bits & 0xFFFF) &+ (bits >> 16 & 0xFFFF) &+ (bits >> 32 & 0xFFFF) &+ (bits >> 48)
                unsafe target[index] = (Float(sum) - 131_070) * scale
            }
        }
    }

    /// A seed for one tensor.
    static func seed(_ seed: UInt64, tensor: String) -> UInt64 {
        tensor.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}

/// A tensor made of fillers alone.
struct FilledTensor: TensorReader {
    let path: String
    let name: String
    let rows: Int
    let columns: Int
    let filler: Filler

    var typeName: String { "seeded" }
    /// As if it were BF16, so that progress and speed compare with those of checkpoints.
    var rowLength: Int { columns * 2 }

    func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError) {
        for (index, row) in rows.enumerated() {
            unsafe filler.fill(floats + index * stride, count: columns, row: row)
        }
    }
}
