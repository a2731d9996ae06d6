// SPDX-License-Identifier: Apache-2.0

/// Which of the two models of a tandem.
public enum ModelRole: String, Sendable, CaseIterable {
    /// The large model; runs in block mode and verifies.
    case primary
    /// The small model; drafts token by token.
    case secondary
}

/// The shape of one model. A value of this type is always within ``FormatLimits`` and consistent in itself.
public struct ModelConfiguration: Sendable, Equatable {
    /// The model family; "llama" in format version 1.0.
    public let family: String
    public let vocabularySize: Int
    public let hiddenSize: Int
    public let layerCount: Int
    public let headCount: Int
    /// Key/value heads; divides ``headCount``.
    public let keyValueHeadCount: Int
    /// Elements of one head; even.
    public let headSize: Int
    public let intermediateSize: Int
    /// Positions the model was trained for.
    public let maxPositions: Int
    /// Added to the mean square by RMSNorm.
    public let normEpsilon: Float
    /// RoPE base.
    public let ropeBase: Float
    /// True when the output head is the embedding matrix.
    public let tiedEmbeddings: Bool

    /// Families this version of the format describes.
    public static let families = ["llama"]

    /// Checks a configuration against the format's rules.
    ///
    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` with the manifest's name of the member.
    public init(
        family: String = "llama", vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int,
        keyValueHeadCount: Int, headSize: Int, intermediateSize: Int, maxPositions: Int, normEpsilon: Float,
        ropeBase: Float, tiedEmbeddings: Bool
    ) throws(FormatError) {
        guard ModelConfiguration.families.contains(family) else {
            throw .invalidField(
                name: "family", offset: nil,
                reason:
                    "'\(family)' is not supported; supported: "
                    + ModelConfiguration.families.joined(separator: ", ")
            )
        }
        try Self.check("vocabulary_size", vocabularySize, FormatLimits.maximumVocabularySize)
        try Self.check("hidden_size", hiddenSize, FormatLimits.maximumHiddenSize)
        try Self.check("layer_count", layerCount, FormatLimits.maximumLayerCount)
        try Self.check("head_count", headCount, FormatLimits.maximumHeadCount)
        try Self.check("key_value_head_count", keyValueHeadCount, FormatLimits.maximumHeadCount)
        try Self.check("head_size", headSize, FormatLimits.maximumHeadSize)
        try Self.check("intermediate_size", intermediateSize, FormatLimits.maximumIntermediateSize)
        try Self.check("max_positions", maxPositions, FormatLimits.maximumPositions)
        guard headCount % keyValueHeadCount == 0 else {
            throw .invalidField(
                name: "key_value_head_count", offset: nil,
                reason: "\(keyValueHeadCount) does not divide head_count \(headCount)")
        }
        guard headSize % 2 == 0 else {
            throw .invalidField(
                name: "head_size", offset: nil, reason: "\(headSize) is odd; rotary embeddings need pairs")
        }
        guard headCount * headSize <= FormatLimits.maximumHiddenSize else {
            throw .invalidField(
                name: "head_size", offset: nil,
                reason: "head_count * head_size is \(headCount * headSize), the limit is "
                    + "\(FormatLimits.maximumHiddenSize)")
        }
        guard normEpsilon > 0, normEpsilon < 1 else {
            throw .invalidField(
                name: "norm_epsilon", offset: nil, reason: "\(normEpsilon) is not between 0 and 1")
        }
        guard ropeBase >= 1, ropeBase <= 1e12 else {
            throw .invalidField(name: "rope_base", offset: nil, reason: "\(ropeBase) is outside 1...1e12")
        }
        self.family = family
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headSize = headSize
        self.intermediateSize = intermediateSize
        self.maxPositions = maxPositions
        self.normEpsilon = normEpsilon
        self.ropeBase = ropeBase
        self.tiedEmbeddings = tiedEmbeddings
    }

    private static func check(_ name: String, _ value: Int, _ limit: Int) throws(FormatError) {
        guard value >= 1, value <= limit else {
            throw .invalidField(name: name, offset: nil, reason: "\(value) is outside 1...\(limit)")
        }
    }
}
