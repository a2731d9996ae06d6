// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer

/// The tokenizer in the metadata of a GGUF file.
struct GGUFTokenizer: TokenizerProvider {
    let file: GGUFFile

    func vocabulary() throws(PackError) -> VocabularyTable? {
        let vocabulary = try GGUFVocabulary(file)
        var tokens: [Int: String] = [:]
        for (id, bytes) in vocabulary.tokens.enumerated() where !vocabulary.isPadding(id) {
            tokens[id] = String(decoding: bytes, as: UTF8.self)
        }
        return VocabularyTable(tokens: tokens)
    }

    func load(vocabularySize: Int) throws(PackError) -> TokenizerSource {
        let vocabulary = try GGUFVocabulary(file)
        let bytes = try vocabulary.tokenizerJSON()
        let tokenizer: Tokenizer
        do throws(TokenizerError) {
            tokenizer = try Tokenizer(json: bytes)
        } catch {
            throw .tokenizer(path: file.path, error: error)
        }
        guard tokenizer.vocabularySize <= vocabularySize else {
            throw .tokenizerTooLarge(
                path: file.path, tokens: tokenizer.vocabularySize, vocabularySize: vocabularySize)
        }
        let bos = vocabulary.startToken
        let addsBOS = bos != nil && tokenizer.encode("a", addSpecialTokens: true).first.map(Int.init) == bos
        var source = try TokenizerSource(
            path: file.path, bytes: bytes, bos: bos, eos: vocabulary.endTokens, addBOS: addsBOS,
            chatTemplate: vocabulary.chatTemplate, generation: generation())
        if source.chatTemplate != nil {
            source.toolTemplate = try GGUFSettings.text(file, "tokenizer.chat_template.tool_use")
            source.specialTokens = specialTokens(vocabulary)
        }
        return source
    }

    /// The texts of the special tokens, under the names of tokenizer_config.json.
    private func specialTokens(_ vocabulary: GGUFVocabulary) -> JSONObject {
        var texts = JSONObject()
        for (key, name) in GGUFTokenizer.specialKeys {
            let id = key == "bos" ? vocabulary.startToken : file["tokenizer.ggml.\(key)_token_id"]?.intValue
            guard let id, vocabulary.tokens.indices.contains(id) else { continue }
            texts["\(name)_token"] = .string(String(decoding: vocabulary.tokens[id], as: UTF8.self))
        }
        return texts
    }

    /// The metadata writes "seperator".
    private static let specialKeys = [
        ("bos", "bos"), ("eos", "eos"), ("unknown", "unk"), ("seperator", "sep"), ("padding", "pad"),
        ("cls", "cls"), ("mask", "mask"),
    ]

    /// What the file recommends for sampling, under the names of generation_config.json.
    private func generation() throws(PackError) -> JSONObject {
        var result = JSONObject()
        for (key, name) in GGUFTokenizer.samplingKeys {
            guard let value = file["general.sampling.\(key)"] else { continue }
            guard let number = value.doubleValue, number.isFinite else {
                throw .invalidField(
                    path: file.path, field: "general.sampling.\(key)", reason: "is not a number")
            }
            if let integer = value.intValue {
                result[name] = .integer(Int64(integer))
            } else {
                // 0.7, not 0.699999988079071.
                result[name] = .number(Double("\(Float(number))") ?? number)
            }
        }
        return result
    }

    private static let samplingKeys = [
        ("temp", "temperature"), ("top_k", "top_k"), ("top_p", "top_p"), ("min_p", "min_p"),
        ("penalty_repeat", "repetition_penalty"),
    ]
}

extension GGUFVocabulary {
    /// Numbers of `tokenizer.ggml.token_type`.
    private enum Kind {
        static let control = 3
        static let userDefined = 4
        static let unused = 5
    }

    private func type(_ id: Int) -> Int? { types.indices.contains(id) ? types[id] : nil }

    /// An entry that converters add where embeddings have more rows than the vocabulary has tokens.
    fileprivate func isPadding(_ id: Int) -> Bool {
        type(id) == Kind.unused && tokens[id] == Array("[PAD\(id)]".utf8)
    }

    /// The token before texts; SentencePiece vocabularies have one even where the metadata does not tell.
    fileprivate var startToken: Int? { bos ?? (model == "llama" && tokens.count > 1 ? 1 : nil) }

    /// The tokens that end a text or a turn: those the metadata names, and special tokens known for it, because many
    /// files name only one.
    fileprivate var endTokens: [Int] {
        var result: [Int] = []
        let named = [eos ?? (model == "llama" && tokens.count > 2 ? 2 : nil), endOfTurn, endOfMessage]
        for id in named.compactMap({ $0 }) where !result.contains(id) { result.append(id) }
        for (id, bytes) in tokens.enumerated() {
            guard type(id) == Kind.control || type(id) == Kind.userDefined else { continue }
            guard GGUFVocabulary.endTexts.contains(bytes), !result.contains(id) else { continue }
            result.append(id)
        }
        return result
    }

    private static let endTexts = Set(
        [
            "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
            "<|eom_id|>", "<EOT>", "<end_of_utterance>",
        ].map { Array($0.utf8) })
}
