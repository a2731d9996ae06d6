// SPDX-License-Identifier: Apache-2.0

extension ModelSource {
    /// The model in a GGUF file.
    init(gguf path: String) throws(PackError) {
        let model = try GGUFModel(path: path)
        self = try model.source(tokenizer: GGUFTokenizer(file: model.settings.file))
    }
}
