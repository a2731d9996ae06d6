// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

/// How the secondary reads the primary.
public struct TandemConfiguration: Sendable, Equatable {
    /// For each secondary layer, the number of primary layers already applied at its tap: 0 is the
    /// embeddings, the primary's layer count is the stream before its final norm.
    public let layerMap: [Int]
    /// The block length γ recommended for decoding, 1...64.
    public let blockLength: Int

    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` when the block length is out of range. The
    ///   layer map is checked by ``Manifest``, which knows both models.
    public init(layerMap: [Int], blockLength: Int) throws(FormatError) {
        guard blockLength >= 1, blockLength <= FormatLimits.maximumBlockLength else {
            throw .invalidField(
                name: "manifest.tandem.block_length", offset: nil,
                reason: "\(blockLength) is outside 1...\(FormatLimits.maximumBlockLength)")
        }
        self.layerMap = layerMap
        self.blockLength = blockLength
    }
}

/// Where the tokenizer is, and what it needs beyond its own file.
public struct TokenizerReference: Sendable, Equatable {
    /// Index of the blob chunk with the bytes of a Hugging Face `tokenizer.json`.
    public let chunk: Int
    /// Beginning-of-text token.
    public let bos: Int?
    /// Tokens that end a text.
    public let eos: [Int]
    /// Whether a prompt starts with ``bos``.
    public let addBOS: Bool
    /// Jinja source of the chat template.
    public let chatTemplate: String?
    /// Jinja source of the chat template for conversations with tools, where it is another one.
    public let toolTemplate: String?
    /// Texts of the special tokens under the names that chat templates know, such as `bos_token`.
    public let specialTokens: JSONObject

    public init(
        chunk: Int, bos: Int?, eos: [Int], addBOS: Bool, chatTemplate: String?, toolTemplate: String? = nil,
        specialTokens: JSONObject = JSONObject()
    ) {
        self.chunk = chunk
        self.bos = bos
        self.eos = eos
        self.addBOS = addBOS
        self.chatTemplate = chatTemplate
        self.toolTemplate = toolTemplate
        self.specialTokens = specialTokens
    }
}
