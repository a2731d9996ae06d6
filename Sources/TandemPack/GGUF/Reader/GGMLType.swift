// SPDX-License-Identifier: Apache-2.0

/// An element type of ggml's tensors.
///
/// Elements are stored in blocks, one after the other along a row.
package struct GGMLType: Sendable, Hashable {
    /// Its number in GGUF files.
    package let number: UInt32
    /// ggml's name, such as "Q4_K".
    package let name: String
    /// Elements of one block.
    package let blockSize: Int
    /// Bytes of one block.
    package let blockLength: Int
    /// How blocks become floats; nil when weights of this type cannot be packed.
    package let packing: Packing?

    /// The block formats that ``Dequantizer`` reads.
    package enum Packing: Sendable, Hashable {
        case f32, f16, bf16, q4Zero, q4One, q5Zero, q5One, q8Zero, q4K, q5K, q6K
    }

    private init(
        _ number: UInt32, _ name: String, _ blockSize: Int, _ blockLength: Int, _ packing: Packing? = nil
    ) {
        self.number = number
        self.name = name
        self.blockSize = blockSize
        self.blockLength = blockLength
        self.packing = packing
    }

    /// The type of that number; nil for numbers ggml never had or has withdrawn.
    package init?(number: UInt32) {
        guard let type = GGMLType.all.first(where: { $0.number == number }) else { return nil }
        self = type
    }

    /// The type of that name.
    package init?(name: String) {
        guard let type = GGMLType.all.first(where: { $0.name == name }) else { return nil }
        self = type
    }

    /// Bytes of a row of `columns` elements, a multiple of ``blockSize``.
    package func rowLength(columns: Int) -> Int { columns / blockSize * blockLength }

    /// Names of the types whose weights can be packed.
    package static var packable: [String] { all.filter { $0.packing != nil }.map(\.name) }

    package static let f32 = GGMLType(0, "F32", 1, 4, .f32)

    package static let all: [GGMLType] = [
        f32,
        GGMLType(1, "F16", 1, 2, .f16),
        GGMLType(2, "Q4_0", 32, 18, .q4Zero),
        GGMLType(3, "Q4_1", 32, 20, .q4One),
        GGMLType(6, "Q5_0", 32, 22, .q5Zero),
        GGMLType(7, "Q5_1", 32, 24, .q5One),
        GGMLType(8, "Q8_0", 32, 34, .q8Zero),
        GGMLType(9, "Q8_1", 32, 36),
        GGMLType(10, "Q2_K", 256, 84),
        GGMLType(11, "Q3_K", 256, 110),
        GGMLType(12, "Q4_K", 256, 144, .q4K),
        GGMLType(13, "Q5_K", 256, 176, .q5K),
        GGMLType(14, "Q6_K", 256, 210, .q6K),
        GGMLType(15, "Q8_K", 256, 292),
        GGMLType(16, "IQ2_XXS", 256, 66),
        GGMLType(17, "IQ2_XS", 256, 74),
        GGMLType(18, "IQ3_XXS", 256, 98),
        GGMLType(19, "IQ1_S", 256, 50),
        GGMLType(20, "IQ4_NL", 32, 18),
        GGMLType(21, "IQ3_S", 256, 110),
        GGMLType(22, "IQ2_S", 256, 82),
        GGMLType(23, "IQ4_XS", 256, 136),
        GGMLType(24, "I8", 1, 1),
        GGMLType(25, "I16", 1, 2),
        GGMLType(26, "I32", 1, 4),
        GGMLType(27, "I64", 1, 8),
        GGMLType(28, "F64", 1, 8),
        GGMLType(29, "IQ1_M", 256, 56),
        GGMLType(30, "BF16", 1, 2, .bf16),
        GGMLType(34, "TQ1_0", 256, 54),
        GGMLType(35, "TQ2_0", 256, 66),
        GGMLType(39, "MXFP4", 32, 17),
        GGMLType(40, "NVFP4", 64, 36),
        GGMLType(41, "Q1_0", 128, 18),
    ]
}
