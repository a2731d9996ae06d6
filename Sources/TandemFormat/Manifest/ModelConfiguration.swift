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
    /// The model family, as Hugging Face's `model_type`: 1...64 lower-case letters, digits, `_`, `-` and `.`.
    /// Informative: ``architecture`` says what to compute. Models without any of its members are "llama".
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
    /// How the model differs from plain Llama.
    public let architecture: ModelArchitecture

    /// The family of version 1.0, whose models have the default ``ModelArchitecture``.
    public static let plainFamily = "llama"
    static let maximumFamilyLength = 64

    /// Checks a configuration against the format's rules.
    ///
    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` with the manifest's name of the member.
    public init(
        family: String = "llama", vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int,
        keyValueHeadCount: Int, headSize: Int, intermediateSize: Int, maxPositions: Int, normEpsilon: Float,
        ropeBase: Float, tiedEmbeddings: Bool, architecture: ModelArchitecture = ModelArchitecture()
    ) throws(FormatError) {
        guard ModelConfiguration.isFamily(family) else {
            throw .invalidField(
                name: "family", offset: nil,
                reason: "'\(family.prefix(80))' is not 1...\(Self.maximumFamilyLength) lower-case letters, "
                    + "digits, '_', '-' and '.'")
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
        try architecture.check(layerCount: layerCount, headSize: headSize)
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
        self.architecture = architecture
    }

    private static func isFamily(_ name: String) -> Bool {
        (1...maximumFamilyLength).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."): true
                default: false
                }
            }
    }

    private static func check(_ name: String, _ value: Int, _ limit: Int) throws(FormatError) {
        guard value >= 1, value <= limit else {
            throw .invalidField(name: name, offset: nil, reason: "\(value) is outside 1...\(limit)")
        }
    }
}
