// SPDX-License-Identifier: Apache-2.0

/// The tokenizer of a model in Hugging Face layout.
struct HuggingFaceTokenizer: TokenizerProvider {
    /// The `tokenizer.json` or `tokenizer.model`.
    let path: String
    /// Where the settings are looked for that are not beside it.
    let modelDirectory: String

    /// Where a tandem checkpoint says it is.
    init(checkpoint: TandemCheckpoint, modelDirectory: String) {
        path = checkpoint.tokenizer
        self.modelDirectory = modelDirectory
    }

    /// Beside the model, or in the tandem checkpoint whose part the model is.
    init(modelDirectory: String) throws(PackError) {
        path = try TokenizerSource.path(forModel: modelDirectory)
        self.modelDirectory = modelDirectory
    }

    func vocabulary() throws(PackError) -> VocabularyTable? {
        guard try PathKind(path) != .missing else { return nil }
        let bytes = try TokenizerSource.contents(path: path, modelDirectory: modelDirectory)
        return try VocabularyTable(path: path, bytes: bytes)
    }

    func load(vocabularySize: Int) throws(PackError) -> TokenizerSource {
        try TokenizerSource(path: path, modelDirectory: modelDirectory, vocabularySize: vocabularySize)
    }
}
