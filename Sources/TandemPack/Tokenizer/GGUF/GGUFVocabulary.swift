// SPDX-License-Identifier: Apache-2.0

/// The tokenizer of a GGUF file: the values of its `tokenizer.ggml.*` metadata, as they stand in the file.
///
/// Strings are bytes, because token texts need not be UTF-8. Nothing is checked before ``tokenizerJSON()``, whose
/// errors name the file and the metadata key.
package struct GGUFVocabulary: Sendable, Equatable {
    /// The file, for messages.
    package var path: String
    /// `tokenizer.ggml.model`: "llama" (SentencePiece byte pairs), "gpt2" (byte-level byte pairs) or "t5" (unigram).
    package var model: String
    /// `tokenizer.ggml.pre`: the name of the split pattern; nil when absent.
    package var pre: String?
    /// `tokenizer.ggml.tokens`
    package var tokens: [[UInt8]] = []
    /// `tokenizer.ggml.scores`; empty when absent.
    package var scores: [Float] = []
    /// `tokenizer.ggml.token_type`; empty when absent.
    package var types: [Int] = []
    /// `tokenizer.ggml.merges`, each "left right"; empty when absent.
    package var merges: [[UInt8]] = []
    /// `tokenizer.ggml.bos_token_id`
    package var bos: Int?
    /// `tokenizer.ggml.eos_token_id`
    package var eos: Int?
    /// `tokenizer.ggml.eot_token_id`
    package var endOfTurn: Int?
    /// `tokenizer.ggml.eom_token_id`
    package var endOfMessage: Int?
    /// `tokenizer.ggml.unknown_token_id`
    package var unknown: Int?
    /// `tokenizer.ggml.add_bos_token`
    package var addBOS: Bool?
    /// `tokenizer.ggml.add_eos_token`
    package var addEOS: Bool?
    /// `tokenizer.ggml.add_space_prefix`
    package var addSpacePrefix: Bool?
    /// `tokenizer.ggml.remove_extra_whitespaces`
    package var removeExtraWhitespaces: Bool?
    /// `tokenizer.ggml.escape_whitespaces`
    package var escapeWhitespaces: Bool?
    /// `tokenizer.ggml.precompiled_charsmap`; empty when absent.
    package var precompiledCharsmap: [UInt8] = []
    /// `tokenizer.chat_template`
    package var chatTemplate: String?
    /// `general.name`, which llama.cpp goes by for Phi-3: its control tokens take the white space behind them.
    package var modelName: String?

    package init(path: String, model: String) {
        self.path = path
        self.model = model
    }
}
