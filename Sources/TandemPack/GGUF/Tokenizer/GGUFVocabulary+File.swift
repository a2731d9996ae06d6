// SPDX-License-Identifier: Apache-2.0

extension GGUFVocabulary {
    /// The `tokenizer.*` metadata of a file.
    init(_ file: GGUFFile) throws(PackError) {
        let reader = TokenizerMetadata(file: file)
        guard let model = try reader.text("ggml.model"), model != "none", model != "no_vocab" else {
            throw .noTokenizer(path: file.path)
        }
        self.init(path: file.path, model: model)
        pre = try reader.text("ggml.pre")
        tokens = try reader.array("ggml.tokens", of: "texts") { $0.strings } ?? []
        guard !tokens.isEmpty else { throw reader.invalid("ggml.tokens", "is missing or empty") }
        scores = try reader.array("ggml.scores", of: "numbers") { $0.floats } ?? []
        types = try reader.array("ggml.token_type", of: "integers") { $0.integers } ?? []
        merges = try reader.array("ggml.merges", of: "texts") { $0.strings } ?? []
        bos = try reader.id("ggml.bos_token_id", tokens: tokens.count)
        eos = try reader.id("ggml.eos_token_id", tokens: tokens.count)
        endOfTurn = try reader.id("ggml.eot_token_id", tokens: tokens.count)
        endOfMessage = try reader.id("ggml.eom_token_id", tokens: tokens.count)
        unknown = try reader.id("ggml.unknown_token_id", tokens: tokens.count)
        addBOS = try reader.flag("ggml.add_bos_token")
        addEOS = try reader.flag("ggml.add_eos_token")
        addSpacePrefix = try reader.flag("ggml.add_space_prefix")
        removeExtraWhitespaces = try reader.flag("ggml.remove_extra_whitespaces")
        escapeWhitespaces = try reader.flag("ggml.escape_whitespaces")
        precompiledCharsmap = try reader.array("ggml.precompiled_charsmap", of: "bytes") { $0.rawBytes } ?? []
        chatTemplate = try reader.text("chat_template")
        modelName = try GGUFSettings.text(file, "general.name")
    }
}

/// Typed access to the metadata under `tokenizer.`.
private struct TokenizerMetadata {
    let file: GGUFFile

    private func key(_ name: String) -> String { "tokenizer.\(name)" }

    func invalid(_ name: String, _ reason: String) -> PackError {
        .invalidField(path: file.path, field: key(name), reason: reason)
    }

    func text(_ name: String) throws(PackError) -> String? { try GGUFSettings.text(file, key(name)) }

    func array<T>(
        _ name: String, of what: String, _ convert: (GGUFArray) -> [T]?
    ) throws(PackError) -> [T]? {
        guard let value = file[key(name)] else { return nil }
        guard let elements = value.arrayValue.flatMap(convert) else {
            throw invalid(name, "is not an array of \(what)")
        }
        return elements
    }

    /// A token; all ones stand for none.
    func id(_ name: String, tokens: Int) throws(PackError) -> Int? {
        guard let value = file[key(name)] else { return nil }
        guard let id = value.intValue else { throw invalid(name, "is not an integer") }
        if id == 0xFFFF_FFFF || id == -1 { return nil }
        guard (0..<tokens).contains(id) else {
            throw invalid(name, "is \(id), but there are only \(tokens) tokens")
        }
        return id
    }

    func flag(_ name: String) throws(PackError) -> Bool? {
        guard let value = file[key(name)] else { return nil }
        guard let flag = value.boolValue else { throw invalid(name, "is not true or false") }
        return flag
    }
}
