// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer

/// The files beside a tokenizer: generation_config.json, config.json, tokenizer_config.json, chat_template.jinja.
///
/// Each is taken from the first directory that has it.
struct TokenizerSettings {
    let directories: [String]
    private let vocabularySize: Int
    private let generationFile: JSONFile?
    private let modelFile: JSONFile?
    let tokenizerFile: JSONFile?

    init(directories: [String], vocabularySize: Int) throws(PackError) {
        self.directories = directories
        self.vocabularySize = vocabularySize
        generationFile = try TokenizerSettings.first("generation_config.json", in: directories)
        modelFile = try TokenizerSettings.first("config.json", in: directories)
        tokenizerFile = try TokenizerSettings.first("tokenizer_config.json", in: directories)
    }

    private static func first(_ name: String, in directories: [String]) throws(PackError) -> JSONFile? {
        for directory in directories {
            if let file = try JSONFile(ifPresent: Paths.join(directory, name)) { return file }
        }
        return nil
    }

    func bos(_ tokenizer: Tokenizer) throws(PackError) -> Int? {
        try ids("bos", tokenizer).first
    }

    func eos(_ tokenizer: Tokenizer) throws(PackError) -> [Int] {
        try ids("eos", tokenizer)
    }

    /// Ids in generation_config.json, else in config.json, else of the token that tokenizer_config.json names.
    private func ids(_ kind: String, _ tokenizer: Tokenizer) throws(PackError) -> [Int] {
        let key = "\(kind)_token_id"
        for file in [generationFile, modelFile].compactMap({ $0 }) {
            guard let value = file[key] else { continue }
            return try ids(value, key: key, file: file)
        }
        guard let file = tokenizerFile, let value = file["\(kind)_token"] else { return [] }
        guard let text = value.stringValue ?? value["content"]?.stringValue else {
            throw file.invalid("\(kind)_token", "is neither a string nor an object with its content")
        }
        guard let id = tokenizer.id(of: text) else {
            throw file.invalid(
                "\(kind)_token", "is \(JSONText.quote(text)), which the tokenizer does not have")
        }
        return [Int(id)]
    }

    private func ids(_ value: JSONValue, key: String, file: JSONFile) throws(PackError) -> [Int] {
        var result: [Int] = []
        for element in value.arrayValue ?? [value] {
            guard let id = element.intValue, id >= 0, id < vocabularySize else {
                throw file.invalid(
                    key, "is \(value.serialized()), but must be token ids below \(vocabularySize)")
            }
            if !result.contains(id) { result.append(id) }
        }
        return result
    }

    /// tokenizer_config.json decides; without it, what the tokenizer itself puts before a text.
    func addBOS(_ tokenizer: Tokenizer, bos: Int?) throws(PackError) -> Bool {
        guard let bos else { return false }
        if let file = tokenizerFile, file["add_bos_token"] != nil {
            return try file.bool("add_bos_token", default: false)
        }
        return tokenizer.encode("a", addSpecialTokens: true).first.map(Int.init) == bos
    }

    /// `chat_template.jinja`, or the member of tokenizer_config.json: a text, or named texts of which "default" counts.
    func chatTemplate() throws(PackError) -> String? {
        for directory in directories {
            let path = Paths.join(directory, "chat_template.jinja")
            guard try PathKind(path) != .missing else { continue }
            let bytes = try InputFile(path: path).contents(limit: JSONFile.sizeLimit)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .invalidField(path: path, field: "the text", reason: "is not valid UTF-8")
            }
            return text
        }
        guard let file = tokenizerFile, let value = file["chat_template"] else { return nil }
        if let text = value.stringValue { return text }
        for element in value.arrayValue ?? [] where element["name"]?.stringValue == "default" {
            if let text = element["template"]?.stringValue { return text }
        }
        throw file.invalid("chat_template", "is neither a text nor a list with one named 'default'")
    }

    /// The members that steer sampling, as they are.
    func generation() throws(PackError) -> JSONObject {
        var result = JSONObject()
        guard let file = generationFile else { return result }
        for key in TokenizerSettings.samplingKeys {
            if let value = file[key] { result[key] = value }
        }
        return result
    }

    private static let samplingKeys = [
        "do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens",
    ]
}
