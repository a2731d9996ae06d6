// SPDX-License-Identifier: Apache-2.0

/// The tokenizer of whatever a path leads to, for tools that look at tokenizers alone.
package enum StandaloneTokenizer {
    /// A `tokenizer.json` as bytes, made of a `tokenizer.json`, a `tokenizer.model`, a GGUF file or a model directory.
    ///
    /// - Throws: ``PackError`` naming the file, and what is wrong in it.
    package static func document(path: String) throws(PackError) -> [UInt8] {
        if try PathKind(path) == .directory {
            return try TokenizerSource.contents(
                path: try TokenizerSource.path(forModel: path), modelDirectory: path)
        }
        if path.hasSuffix(".gguf") { return try GGUFVocabulary(GGUFFile(path: path)).tokenizerJSON() }
        return try TokenizerSource.contents(path: path, modelDirectory: Paths.directory(of: path))
    }
}
