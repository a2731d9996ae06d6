// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer

/// A checkpoint's tokenizer and what belongs to it: special tokens, chat template, generation defaults.
package struct TokenizerSource: Sendable {
    let path: String
    /// A `tokenizer.json`: the checkpoint's own, unchanged where nothing is to be added, or one made of its vocabulary.
    let bytes: [UInt8]
    let bos: Int?
    let eos: [Int]
    let addBOS: Bool
    let chatTemplate: String?
    /// The chat template for conversations with tools, where the checkpoint names another one.
    var toolTemplate: String?
    /// Texts of the special tokens, for chat templates.
    var specialTokens = JSONObject()
    /// The sampling defaults of generation_config.json.
    let generation: JSONObject

    static let fileName = "tokenizer.json"
    /// The file of SentencePiece, used where there is no `tokenizer.json`.
    static let modelFileName = "tokenizer.model"
    static let sizeLimit = 256 << 20

    /// - Parameters:
    ///   - path: the `tokenizer.json` or `tokenizer.model`.
    ///   - modelDirectory: where the settings are looked for that are not beside the tokenizer.
    init(path: String, modelDirectory: String, vocabularySize: Int) throws(PackError) {
        let bytes = try TokenizerSource.contents(path: path, modelDirectory: modelDirectory)
        let tokenizer: Tokenizer
        do throws(TokenizerError) {
            tokenizer = try Tokenizer(json: bytes)
        } catch {
            throw .tokenizer(path: path, error: error)
        }
        guard tokenizer.vocabularySize <= vocabularySize else {
            throw .tokenizerTooLarge(
                path: path, tokens: tokenizer.vocabularySize, vocabularySize: vocabularySize)
        }
        let settings = try TokenizerSettings(
            directories: [Paths.directory(of: path), modelDirectory], vocabularySize: vocabularySize)
        self.path = path
        self.bytes = bytes
        bos = try settings.bos(tokenizer)
        eos = try settings.eos(tokenizer)
        addBOS = try settings.addBOS(tokenizer, bos: bos)
        chatTemplate = try settings.chatTemplate()
        if chatTemplate != nil {
            toolTemplate = try settings.toolTemplate()
            specialTokens = settings.specialTokens
        }
        generation = try settings.generation()
    }

    /// The tokenizer at `path` as a `tokenizer.json`, with the tokens that `tokenizer_config.json` adds.
    static func contents(path: String, modelDirectory: String) throws(PackError) -> [UInt8] {
        guard try PathKind(path) != .missing else { throw .noTokenizer(path: path) }
        let bytes = try InputFile(path: path).contents(limit: TokenizerSource.sizeLimit)
        let additions = try AddedTokenFiles(directories: [Paths.directory(of: path), modelDirectory])
        guard path.hasSuffix(".model") else { return try additions.merged(into: bytes, path: path) }
        guard bytes.count <= SentencePieceModel.sizeLimit else {
            throw .fileTooLarge(path: path, size: bytes.count, limit: SentencePieceModel.sizeLimit)
        }
        let model = try SentencePieceModel(path: path, bytes: bytes)
        return try additions.merged(into: model.tokenizerJSON(additions.surroundings()), path: path)
    }

    /// Where a model's tokenizer is: beside it, or in the tandem checkpoint whose part the model is.
    static func path(forModel directory: String) throws(PackError) -> String {
        let own = Paths.join(directory, fileName)
        guard try PathKind(own) == .missing else { return own }
        let model = Paths.join(directory, modelFileName)
        guard try PathKind(model) == .missing else { return model }
        let parent = Paths.join(directory, "..")
        guard try PathKind(Paths.join(parent, TandemCheckpoint.fileName)) == .file else { return own }
        return try TandemCheckpoint(directory: parent).tokenizer
    }
}
