// SPDX-License-Identifier: Apache-2.0

import TandemJSON

extension TokenizerSource {
    /// A tokenizer that does not come from a directory.
    init(
        path: String, bytes: [UInt8], bos: Int?, eos: [Int], addBOS: Bool, chatTemplate: String?,
        generation: JSONObject
    ) {
        self.path = path
        self.bytes = bytes
        self.bos = bos
        self.eos = eos
        self.addBOS = addBOS
        self.chatTemplate = chatTemplate
        self.generation = generation
    }
}

extension VocabularyTable {
    /// The texts of a vocabulary that is no `tokenizer.json`.
    init(tokens: [Int: String]) { self.tokens = tokens }
}
