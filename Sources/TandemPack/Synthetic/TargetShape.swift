// SPDX-License-Identifier: Apache-2.0

/// The size of a model whose weights do not matter: for benchmarks, and to grow a trained model to (``Packer``).
public struct TargetShape: Sendable, Equatable {
    public let name: String
    public let vocabularySize: Int
    public let hiddenSize: Int
    public let layerCount: Int
    public let headCount: Int
    public let keyValueHeadCount: Int
    public let headSize: Int
    public let intermediateSize: Int
    public let maxPositions: Int
    public let tiedEmbeddings: Bool

    /// The shapes known by name, the smallest first: those of published Llama-family models.
    public static let named = [
        TargetShape("llama-68m", 32_000, 768, 2, 12, 12, 64, 3072, 2048, false),
        TargetShape("smollm-135m", 49_152, 576, 30, 9, 3, 64, 1536, 2048, true),
        TargetShape("llama-160m", 32_000, 768, 12, 12, 12, 64, 3072, 2048, false),
        TargetShape("smollm2-360m", 49_152, 960, 32, 15, 5, 64, 2560, 8192, true),
        TargetShape("qwen2.5-0.5b", 151_936, 896, 24, 14, 2, 64, 4864, 32_768, true),
        TargetShape("tinyllama-1.1b", 32_000, 2048, 22, 32, 4, 64, 5632, 2048, false),
        TargetShape("llama-1b", 128_256, 2048, 16, 32, 8, 64, 8192, 8192, true),
        TargetShape("smollm2-1.7b", 49_152, 2048, 24, 32, 32, 64, 8192, 8192, true),
        TargetShape("llama-3b", 128_256, 3072, 28, 24, 8, 128, 8192, 8192, true),
        TargetShape("llama-7b", 32_000, 4096, 32, 32, 32, 128, 11_008, 4096, false),
        TargetShape("llama-8b", 128_256, 4096, 32, 32, 8, 128, 14_336, 8192, false),
    ]

    /// The shape of that name.
    /// - Throws: ``PackError/invalidOption(name:value:allowed:)``.
    public init(named name: String) throws(PackError) {
        guard let shape = TargetShape.named.first(where: { $0.name == name }) else {
            throw .invalidOption(
                name: "shape", value: name, allowed: TargetShape.named.map(\.name).joined(separator: ", "))
        }
        self = shape
    }

    private init(
        _ name: String, _ vocabularySize: Int, _ hiddenSize: Int, _ layerCount: Int, _ headCount: Int,
        _ keyValueHeadCount: Int, _ headSize: Int, _ intermediateSize: Int, _ maxPositions: Int,
        _ tiedEmbeddings: Bool
    ) {
        self.name = name
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headSize = headSize
        self.intermediateSize = intermediateSize
        self.maxPositions = maxPositions
        self.tiedEmbeddings = tiedEmbeddings
    }
}
