// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

/// What a file holds and how to run it: the JSON document of the file, checked.
///
/// A value of this type is always valid: configurations are in range, the layer map fits both models, token
/// ids are inside the vocabulary. Members of the JSON document that this version does not know are ignored.
public struct Manifest: Sendable, Equatable {
    /// What kind of model a file holds.
    public enum Kind: String, Sendable, CaseIterable {
        /// One model.
        case single
        /// A primary and a plain small draft model.
        case pair
        /// A primary and a secondary that reads it through tandem projections.
        case tandem
    }

    public let primary: ModelConfiguration
    public let secondary: ModelConfiguration?
    public let tandem: TandemConfiguration?
    /// What makes drafting cheaper; nil when there is nothing of it.
    public let drafting: DraftingConfiguration?
    public let tokenizer: TokenizerReference?
    /// How the weights were quantised; for people and reports, not needed to run.
    public let quantization: JSONObject
    /// Defaults for sampling, as in a Hugging Face `generation_config.json`.
    public let generation: JSONObject
    /// Where the model comes from.
    public let provenance: JSONObject

    public var kind: Kind { secondary == nil ? .single : tandem == nil ? .pair : .tandem }

    /// The configuration of a role; nil for the secondary of a single model.
    public func configuration(_ role: ModelRole) -> ModelConfiguration? {
        role == .primary ? primary : secondary
    }

    /// Checks the parts against each other.
    ///
    /// - Throws: ``FormatError/invalidField(name:offset:reason:)``.
    public init(
        primary: ModelConfiguration, secondary: ModelConfiguration? = nil, tandem: TandemConfiguration? = nil,
        drafting: DraftingConfiguration? = nil, tokenizer: TokenizerReference? = nil,
        quantization: JSONObject = JSONObject(),
        generation: JSONObject = JSONObject(), provenance: JSONObject = JSONObject()
    ) throws(FormatError) {
        self.primary = primary
        self.secondary = secondary
        self.tandem = tandem
        self.drafting = drafting
        self.tokenizer = tokenizer
        self.quantization = quantization
        self.generation = generation
        self.provenance = provenance
        try checkModels()
        try drafting?.check(primary: primary, secondary: secondary)
        try checkTokenizer()
    }

    private func checkModels() throws(FormatError) {
        guard let tandem else { return }
        guard let secondary else {
            throw .invalidField(
                name: "manifest.tandem", offset: nil, reason: "present, but there is no secondary model")
        }
        guard tandem.layerMap.count == secondary.layerCount else {
            throw .invalidField(
                name: "manifest.tandem.layer_map", offset: nil,
                reason: "\(tandem.layerMap.count) entries, the secondary has \(secondary.layerCount) layers")
        }
        for (index, tap) in tandem.layerMap.enumerated() where tap < 0 || tap > primary.layerCount {
            throw .invalidField(
                name: "manifest.tandem.layer_map[\(index)]", offset: nil,
                reason: "\(tap) is outside 0...\(primary.layerCount), the primary's layers")
        }
    }

    private func checkTokenizer() throws(FormatError) {
        guard let tokenizer else { return }
        let vocabulary = primary.vocabularySize
        guard tokenizer.chunk >= 0, tokenizer.chunk < FormatLimits.maximumRecords else {
            throw .invalidField(
                name: "manifest.tokenizer.chunk", offset: nil,
                reason: "\(tokenizer.chunk) is not a chunk index")
        }
        if let bos = tokenizer.bos, bos < 0 || bos >= vocabulary {
            throw .invalidField(
                name: "manifest.tokenizer.bos", offset: nil,
                reason: "\(bos) is outside the vocabulary of \(vocabulary)")
        }
        guard tokenizer.eos.count <= FormatLimits.maximumEndTokens else {
            throw .invalidField(
                name: "manifest.tokenizer.eos", offset: nil,
                reason: "\(tokenizer.eos.count) tokens, the limit is \(FormatLimits.maximumEndTokens)")
        }
        for (index, token) in tokenizer.eos.enumerated() where token < 0 || token >= vocabulary {
            throw .invalidField(
                name: "manifest.tokenizer.eos[\(index)]", offset: nil,
                reason: "\(token) is outside the vocabulary of \(vocabulary)")
        }
        guard !tokenizer.addBOS || tokenizer.bos != nil else {
            throw .invalidField(
                name: "manifest.tokenizer.add_bos", offset: nil, reason: "true, but there is no bos token")
        }
    }
}
