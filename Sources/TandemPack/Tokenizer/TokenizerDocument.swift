// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// A `tokenizer.json` in the making, for vocabularies that come in another form.
///
/// Some members go beyond what the reference implementation knows, which ignores them: in the model `equal_merges`, how
/// many merges in a row have the same rank, `bytes_by_fallback_only`, whether the text `<0x0A>` is no byte, and
/// `single_precision`, how sums are rounded; `scheme` of `Prepend` and `longest_match` of `Precompiled`.
struct TokenizerDocument {
    /// A piece of the vocabulary; its position is its id.
    struct Piece {
        enum Kind { case normal, unknown, control, userDefined, byte }

        var text: String
        var score: Double = 0
        var kind = Kind.normal

        /// Whether merges may make it.
        var isMergeable: Bool { kind == .normal || kind == .userDefined }
    }

    let pieces: [Piece]
    /// The file, and what its pieces are called there, for messages.
    let path: String
    let field: String
    /// Whether control tokens, but those around a text, take the white space behind them.
    var controlStripsRight = false
    /// Whether spaces are replaced before tokens are looked for.
    var escapesSpaces = true
    var normalizers: [JSONValue] = []
    var preTokenizers: [JSONValue] = []
    var decoders: [JSONValue] = []
    /// Ids before and after a text.
    var prefix: Int?
    var suffix: Int?

    /// The bytes of the file.
    func serialized(model: JSONValue) -> [UInt8] {
        let document: JSONValue = [
            "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": addedTokens,
            "normalizer": Self.sequence(normalizers, "normalizers"),
            "pre_tokenizer": Self.sequence(preTokenizers, "pretokenizers"),
            "post_processor": postProcessor, "decoder": Self.sequence(decoders, "decoders"), "model": model,
        ]
        return document.serializedBytes(sortedKeys: false)
    }

    private static func sequence(_ parts: [JSONValue], _ key: String) -> JSONValue {
        switch parts.count {
        case 0: return .null
        case 1: return parts[0]
        default:
            var object = JSONObject()
            object["type"] = "Sequence"
            object[key] = .array(parts)
            return .object(object)
        }
    }

    /// Control and user-defined pieces are found in the text as they stand there. Those with spaces are left to the
    /// merges, which work on the text with its spaces replaced.
    private var addedTokens: JSONValue {
        var tokens: [JSONValue] = []
        for (id, piece) in pieces.enumerated() where !piece.isMergeable || piece.kind == .userDefined {
            if piece.kind == .byte || piece.text.isEmpty { continue }
            let hasSpace = piece.text.unicodeScalars.contains { $0 == "\u{2581}" || $0 == " " }
            if piece.kind == .userDefined && hasSpace && escapesSpaces { continue }
            tokens.append([
                "id": .integer(Int64(id)), "content": .string(piece.text), "single_word": false,
                "lstrip": false, "rstrip": .bool(stripsRight(piece)), "normalized": false,
                "special": .bool(piece.kind != .userDefined),
            ])
        }
        return .array(tokens)
    }

    private func stripsRight(_ piece: Piece) -> Bool {
        controlStripsRight && !["<unk>", "<s>", "<|endoftext|>"].contains(piece.text)
    }

    private var postProcessor: JSONValue {
        guard prefix != nil || suffix != nil else { return nil }
        var single: [JSONValue] = []
        var specials = JSONObject()
        func add(_ id: Int?) {
            guard let id else { return }
            let text = JSONValue.string(pieces[id].text)
            single.append(["SpecialToken": ["id": text, "type_id": 0]])
            specials[pieces[id].text] = [
                "id": text, "ids": [.integer(Int64(id))], "tokens": [text],
            ]
        }
        add(prefix)
        single.append(["Sequence": ["id": "A", "type_id": 0]])
        add(suffix)
        return [
            "type": "TemplateProcessing", "single": .array(single), "pair": .array(single),
            "special_tokens": .object(specials),
        ]
    }
}

extension TokenizerDocument {
    /// The vocabulary of a byte-pair model.
    /// - Throws: when two pieces have the same text.
    func vocabulary() throws(PackError) -> JSONValue {
        var object = JSONObject()
        for (id, piece) in pieces.enumerated() {
            if let first = object[piece.text]?.intValue {
                throw .invalidField(
                    path: path, field: "\(field)[\(id)]",
                    reason: "is \(JSONText.quote(piece.text)), as \(field)[\(first)] is already")
            }
            object[piece.text] = .integer(Int64(id))
        }
        return .object(object)
    }

    /// A byte-pair model in the manner of SentencePiece, whose merges follow from the scores.
    func scoredModel(unknown: Int?, byteFallback: Bool) throws(PackError) -> JSONValue {
        let merges = ScoredMerges(pieces)
        var model: JSONObject = [
            "type": "BPE", "dropout": nil,
            "unk_token": unknown.map { .string(pieces[$0].text) } ?? nil, "continuing_subword_prefix": nil,
            "end_of_word_suffix": nil, "fuse_unk": true, "byte_fallback": .bool(byteFallback),
            "ignore_merges": false, "vocab": try vocabulary(), "merges": .array(merges.merges),
        ]
        if merges.hasEquals {
            model["equal_merges"] = .array(merges.equalCounts.map { .integer(Int64($0)) })
        }
        return .object(model)
    }

    /// A unigram model.
    func unigramModel(unknown: Int, byteFallback: Bool, singlePrecision: Bool) -> JSONValue {
        let vocabulary = pieces.map { JSONValue.array([.string($0.text), .number($0.score)]) }
        return [
            "type": "Unigram", "unk_id": .integer(Int64(unknown)), "vocab": .array(vocabulary),
            "byte_fallback": .bool(byteFallback), "bytes_by_fallback_only": true,
            "single_precision": .bool(singlePrecision),
        ]
    }

    /// The normalisers and decoders of SentencePiece, with a mark in the place of spaces.
    mutating func escapeSpaces(prefix: Bool, scheme: String? = nil) {
        if prefix { prepend("\u{2581}", scheme: scheme) }
        normalizers.append(["type": "Replace", "pattern": ["String": " "], "content": "\u{2581}"])
        decoders = [
            ["type": "Replace", "pattern": ["String": "\u{2581}"], "content": " "], ["type": "ByteFallback"],
            ["type": "Fuse"],
        ]
        if prefix { decoders.append(["type": "Strip", "content": " ", "start": 1, "stop": 0]) }
    }

    mutating func prepend(_ text: String, scheme: String?) {
        var step: JSONObject = ["type": "Prepend", "prepend": .string(text)]
        if let scheme { step["scheme"] = .string(scheme) }
        normalizers.append(.object(step))
    }

    /// Drops spaces at both ends and all but one of a run. SentencePiece drops its mark for spaces at the end as well,
    /// even where it stands in the text itself.
    mutating func removeExtraSpaces(marksToo: Bool) {
        let end = marksToo && escapesSpaces ? "[ \\x{2581}]+\\z" : " +\\z"
        normalizers.append(
            ["type": "Replace", "pattern": ["Regex": .string("\\A +|\(end)")], "content": ""])
        normalizers.append(["type": "Replace", "pattern": ["Regex": " {2,}"], "content": " "])
    }

    mutating func normalize(characterMap: [UInt8]) {
        normalizers.append([
            "type": "Precompiled", "precompiled_charsmap": .string(Base64.encode(characterMap)),
            "longest_match": true,
        ])
    }
}
