// SPDX-License-Identifier: Apache-2.0

import TandemJSON

extension GGUFVocabulary {
    /// The vocabulary as a `tokenizer.json` that gives the ids of llama.cpp.
    ///
    /// - Throws: ``PackError/invalidField(path:field:reason:)`` where the metadata contradicts itself,
    ///   ``PackError/unsupportedSetting(path:key:value:reason:)`` for kinds of vocabulary that are not supported.
    package func tokenizerJSON() throws(PackError) -> [UInt8] {
        switch model {
        case "llama": try scoredJSON()
        case "gpt2": try byteLevelJSON()
        case "t5": try unigramJSON()
        default:
            throw .unsupportedSetting(
                path: path, key: "tokenizer.ggml.model", value: JSONText.quote(model),
                reason: "supported are llama, gpt2 and t5")
        }
    }

    private func invalid(_ field: String, _ reason: String) -> PackError {
        .invalidField(path: path, field: "tokenizer.ggml.\(field)", reason: reason)
    }

    /// The tokens with what the arrays beside them say.
    private func pieces() throws(PackError) -> [TokenizerDocument.Piece] {
        guard !tokens.isEmpty else { throw invalid("tokens", "is missing or empty") }
        for (name, count) in [("scores", scores.count), ("token_type", types.count)]
        where count != 0 && count != tokens.count {
            throw invalid(name, "has \(count) elements, but there are \(tokens.count) tokens")
        }
        var pieces: [TokenizerDocument.Piece] = []
        pieces.reserveCapacity(tokens.count)
        for (id, bytes) in tokens.enumerated() {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw invalid("tokens[\(id)]", "is not valid UTF-8")
            }
            let score = scores.isEmpty ? 0 : scores[id]
            guard score.isFinite else { throw invalid("scores[\(id)]", "is \(score)") }
            pieces.append(
                TokenizerDocument.Piece(text: text, score: Double(score), kind: try kind(id)))
        }
        return pieces
    }

    private func kind(_ id: Int) throws(PackError) -> TokenizerDocument.Piece.Kind {
        guard !types.isEmpty else { return .normal }
        switch types[id] {
        case 0, 1, 5: return .normal
        case 2: return .unknown
        case 3: return .control
        case 4: return .userDefined
        case 6: return .byte
        default: throw invalid("token_type[\(id)]", "is \(types[id]), which is no type")
        }
    }

    private func document(addsBOS: Bool, addsEOS: Bool) throws(PackError) -> TokenizerDocument {
        var document = TokenizerDocument(
            pieces: try pieces(), path: path, field: "tokenizer.ggml.tokens",
            controlStripsRight: hasStrippingControls, escapesSpaces: model != "gpt2")
        for (name, id) in [("bos_token_id", bos), ("eos_token_id", eos), ("unknown_token_id", unknown)] {
            if let id, !tokens.indices.contains(id) {
                throw invalid(name, "is \(id), but there are only \(tokens.count) tokens")
            }
        }
        let isScored = model == "llama"
        if addBOS ?? addsBOS { document.prefix = bos ?? (isScored && tokens.count > 1 ? 1 : nil) }
        if addEOS ?? addsEOS { document.suffix = eos ?? (isScored && tokens.count > 2 ? 2 : nil) }
        return document
    }

    private var hasStrippingControls: Bool {
        let name = modelName?.lowercased() ?? ""
        return name.contains("phi-3") || name.contains("phi3")
    }

    /// SentencePiece byte pairs.
    private func scoredJSON() throws(PackError) -> [UInt8] {
        guard !scores.isEmpty else { throw invalid("scores", "is missing") }
        var document = try document(addsBOS: true, addsEOS: false)
        document.escapeSpaces(prefix: addSpacePrefix ?? true)
        let unknown = unknown ?? 0
        let isUnknown = document.pieces[unknown].kind == .unknown
        return document.serialized(
            model: try document.scoredModel(unknown: isUnknown ? unknown : nil, byteFallback: true))
    }

    private func unigramJSON() throws(PackError) -> [UInt8] {
        guard !scores.isEmpty else { throw invalid("scores", "is missing") }
        guard let unknown = unknown ?? types.firstIndex(of: 2) else {
            throw invalid("unknown_token_id", "is missing")
        }
        var document = try document(addsBOS: false, addsEOS: true)
        _ = try document.vocabulary()
        if !precompiledCharsmap.isEmpty { document.normalize(characterMap: precompiledCharsmap) }
        if removeExtraWhitespaces ?? false { document.removeExtraSpaces(marksToo: false) }
        guard escapeWhitespaces ?? true else {
            throw .unsupportedSetting(
                path: path, key: "tokenizer.ggml.escape_whitespaces", value: "false",
                reason: "spaces must be escaped")
        }
        document.escapeSpaces(prefix: addSpacePrefix ?? true)
        return document.serialized(
            model: document.unigramModel(unknown: unknown, byteFallback: false, singlePrecision: false))
    }

    /// Byte-level byte pairs.
    private func byteLevelJSON() throws(PackError) -> [UInt8] {
        let name = pre ?? "default"
        guard let split = GGUFPreTokenizer(name: name) else {
            throw .unsupportedSetting(
                path: path, key: "tokenizer.ggml.pre", value: JSONText.quote(name),
                reason: "supported are \(GGUFPreTokenizer.names.joined(separator: ", "))")
        }
        var document = try document(addsBOS: split.startsText, addsEOS: false)
        document.preTokenizers = split.patterns.map {
            ["type": "Split", "pattern": ["Regex": .string($0)], "behavior": "Isolated", "invert": false]
        }
        document.preTokenizers.append([
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
        ])
        document.decoders = [
            ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true]
        ]
        var lines: [JSONValue] = []
        lines.reserveCapacity(merges.count)
        for (index, merge) in merges.enumerated() {
            guard let line = String(validating: merge, as: UTF8.self) else {
                throw invalid("merges[\(index)]", "is not valid UTF-8")
            }
            lines.append(.string(line))
        }
        return document.serialized(
            model: [
                "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
                "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false,
                "ignore_merges": .bool(split.ignoresMerges), "vocab": try document.vocabulary(),
                "merges": .array(lines),
            ])
    }
}
