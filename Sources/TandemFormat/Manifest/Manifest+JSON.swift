// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

extension Manifest {
    /// Reads a manifest document (`Formats/tandem-file.md`, "Manifest").
    ///
    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` with the path of the member at fault.
    public init(json: JSONValue) throws(FormatError) {
        let root = try ManifestReader(json, path: "manifest")
        let kindName = try root.string("kind")
        guard let kind = Kind(rawValue: kindName) else {
            throw root.invalid("kind", "'\(kindName)' is not single, pair or tandem")
        }
        let models = try root.object("models")
        let tandem = try root.optionalObject("tandem")
        try self.init(
            primary: ModelConfiguration(reader: models.object("primary")),
            secondary: ModelConfiguration(optional: models.optionalObject("secondary")),
            tandem: TandemConfiguration(optional: tandem),
            drafting: DraftingConfiguration(optional: root.optionalObject("drafting")),
            tokenizer: TokenizerReference(optional: root.optionalObject("tokenizer")),
            quantization: root.freeObject("quantization"),
            generation: root.freeObject("generation"),
            provenance: root.freeObject("provenance"))
        guard self.kind == kind else {
            throw root.invalid(
                "kind", "'\(kind.rawValue)', but the models present make it '\(self.kind.rawValue)'")
        }
    }

    /// The document, with only the members this version knows.
    public var json: JSONValue {
        var models = JSONObject()
        models["primary"] = primary.json
        if let secondary { models["secondary"] = secondary.json }
        var root = JSONObject()
        root["kind"] = .string(kind.rawValue)
        root["models"] = .object(models)
        if let tandem { root["tandem"] = tandem.json }
        if let drafting { root["drafting"] = drafting.json }
        if let tokenizer { root["tokenizer"] = tokenizer.json }
        root["quantization"] = .object(quantization)
        root["generation"] = .object(generation)
        root["provenance"] = .object(provenance)
        return .object(root)
    }
}

extension ModelConfiguration {
    fileprivate init(reader: ManifestReader) throws(FormatError) {
        do throws(FormatError) {
            self = try ModelConfiguration(
                family: reader.string("family"),
                vocabularySize: reader.integer("vocabulary_size"),
                hiddenSize: reader.integer("hidden_size"),
                layerCount: reader.integer("layer_count"),
                headCount: reader.integer("head_count"),
                keyValueHeadCount: reader.integer("key_value_head_count"),
                headSize: reader.integer("head_size"),
                intermediateSize: reader.integer("intermediate_size"),
                maxPositions: reader.integer("max_positions"),
                normEpsilon: reader.float("norm_epsilon"),
                ropeBase: reader.float("rope_base"),
                tiedEmbeddings: reader.bool("tied_embeddings"),
                architecture: ModelArchitecture(reader: reader))
        } catch .invalidField(let name, let offset, let reason) {
            let full = name.hasPrefix(reader.path) ? name : "\(reader.path).\(name)"
            throw .invalidField(name: full, offset: offset, reason: reason)
        }
    }

    fileprivate init?(optional reader: ManifestReader?) throws(FormatError) {
        guard let reader else { return nil }
        try self.init(reader: reader)
    }

    var json: JSONValue {
        var object = JSONObject()
        object["family"] = .string(family)
        object["vocabulary_size"] = .integer(Int64(vocabularySize))
        object["hidden_size"] = .integer(Int64(hiddenSize))
        object["layer_count"] = .integer(Int64(layerCount))
        object["head_count"] = .integer(Int64(headCount))
        object["key_value_head_count"] = .integer(Int64(keyValueHeadCount))
        object["head_size"] = .integer(Int64(headSize))
        object["intermediate_size"] = .integer(Int64(intermediateSize))
        object["max_positions"] = .integer(Int64(maxPositions))
        object["norm_epsilon"] = .number(shortestDouble(normEpsilon))
        object["rope_base"] = .number(shortestDouble(ropeBase))
        object["tied_embeddings"] = .bool(tiedEmbeddings)
        for member in architecture.members { object[member.key] = member.value }
        return .object(object)
    }
}

extension TandemConfiguration {
    fileprivate init?(optional reader: ManifestReader?) throws(FormatError) {
        guard let reader else { return nil }
        let map = try reader.integers("layer_map", limit: FormatLimits.maximumLayerCount)
        try self.init(layerMap: map, blockLength: reader.integer("block_length"))
    }

    var json: JSONValue {
        var object = JSONObject()
        object["layer_map"] = .array(layerMap.map { .integer(Int64($0)) })
        object["block_length"] = .integer(Int64(blockLength))
        return .object(object)
    }
}

extension TokenizerReference {
    fileprivate init?(optional reader: ManifestReader?) throws(FormatError) {
        guard let reader else { return nil }
        try self.init(
            chunk: reader.integer("chunk"),
            bos: reader.optionalInteger("bos"),
            eos: reader.integers("eos", limit: FormatLimits.maximumEndTokens),
            addBOS: reader.bool("add_bos"),
            chatTemplate: reader.optionalString("chat_template"),
            toolTemplate: reader.optionalString("tool_chat_template"),
            specialTokens: reader.freeObject("special_tokens"))
        for member in specialTokens.members where member.value.stringValue == nil {
            throw reader.invalid("special_tokens.\(member.key)", "is not a string")
        }
    }

    var json: JSONValue {
        var object = JSONObject()
        object["chunk"] = .integer(Int64(chunk))
        if let bos { object["bos"] = .integer(Int64(bos)) }
        object["eos"] = .array(eos.map { .integer(Int64($0)) })
        object["add_bos"] = .bool(addBOS)
        if let chatTemplate { object["chat_template"] = .string(chatTemplate) }
        if let toolTemplate { object["tool_chat_template"] = .string(toolTemplate) }
        if !specialTokens.isEmpty { object["special_tokens"] = .object(specialTokens) }
        return .object(object)
    }
}

/// The double with the float's shortest decimal form (1e-05, not 9.99999974737875e-06), when it converts back
/// exactly.
func shortestDouble(_ value: Float) -> Double {
    if let short = Double(value.description), Float(short) == value { return short }
    return Double(value)
}
