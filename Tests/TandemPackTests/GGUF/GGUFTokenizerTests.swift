// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("Tokenizers in GGUF files")
struct GGUFTokenizerTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func manifest(_ change: (inout GGUFBuilder) -> Void) throws -> Manifest {
        var model = GGUFTestModel(TestModel())
        change(&model.file)
        try model.write(to: folder)
        try pack(folder["m.gguf"], to: folder["m.tandem"], options: PackOptions(overwrite: true))
        return try TandemFile(path: folder["m.tandem"]).manifest
    }

    private func error(_ change: (inout GGUFBuilder) -> Void) throws -> PackError? {
        var model = GGUFTestModel(TestModel())
        change(&model.file)
        try model.write(to: folder)
        return packError(
            folder["m.gguf"], to: folder["m.tandem"],
            options: try PackOptions(overwrite: true, threadCount: 2))
    }

    /// Replaces tokens of the small vocabulary by special ones.
    private func special(_ texts: [Int: String], _ builder: inout GGUFBuilder) {
        var tokens = ["<|endoftext|>"] + (1..<40).map { String(Character(Unicode.Scalar(UInt8(0x20 + $0)))) }
        var types = [3] + [Int32](repeating: 1, count: 39)
        for (id, text) in texts {
            tokens[id] = text
            types[id] = 3
        }
        builder.remove("tokenizer.ggml.tokens")
        builder.remove("tokenizer.ggml.token_type")
        builder.add("tokenizer.ggml.tokens", tokens)
        builder.add("tokenizer.ggml.token_type", types)
    }

    @Test func specialTokensAndTemplate() throws {
        let template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
        let tokenizer = try manifest {
            special([7: "<|im_end|>", 9: "<stop>", 11: "<bos>", 12: "<eom>"], &$0)
            for (key, id) in [("bos", 11), ("eos", 9), ("eom", 12)] {
                $0.remove("tokenizer.ggml.\(key)_token_id")
                $0.add("tokenizer.ggml.\(key)_token_id", id)
            }
            $0.add("tokenizer.ggml.add_bos_token", true)
            $0.add("tokenizer.chat_template", template)
        }.tokenizer
        #expect(tokenizer?.bos == 11)
        #expect(tokenizer?.addBOS == true)
        // Those the file names, then special tokens that are known to end a text or a turn.
        #expect(tokenizer?.eos == [9, 12, 0, 7])
        #expect(tokenizer?.chatTemplate == template)
        #expect(tokenizer?.specialTokens == ["bos_token": "<bos>", "eos_token": "<stop>"])
    }

    @Test func endOfTurn() throws {
        let tokenizer = try manifest {
            special([5: "<turn>"], &$0)
            $0.add("tokenizer.ggml.eot_token_id", 5)
        }.tokenizer
        #expect(tokenizer?.eos == [0, 5])
        #expect(tokenizer?.addBOS == false)
        #expect(tokenizer?.chatTemplate == nil)
    }

    @Test func samplingDefaults() throws {
        let generation = try manifest {
            $0.add("general.sampling.temp", Float(0.7))
            $0.add("general.sampling.top_k", 20)
            $0.add("general.sampling.top_p", Float(0.95))
            $0.add("general.sampling.penalty_repeat", Float(1.05))
        }.generation
        #expect(
            generation == ["temperature": 0.7, "top_k": 20, "top_p": 0.95, "repetition_penalty": 1.05])
    }

    /// Entries that converters add for the rows of the embeddings beyond the vocabulary are no difference.
    @Test func paddingIsNoDifference() throws {
        var padded = TestModel(TestModel.Shape(vocabulary: 40))
        padded.tokenizer = TestModel.tokenizer(size: 36)
        try padded.write(to: folder, "hf")
        var model = GGUFTestModel(TestModel())
        let tokens = ["<|endoftext|>"] + (1..<36).map { String(Character(Unicode.Scalar(UInt8(0x20 + $0)))) }
        model.file.remove("tokenizer.ggml.tokens")
        model.file.remove("tokenizer.ggml.token_type")
        model.file.add("tokenizer.ggml.tokens", tokens + (36..<40).map { "[PAD\($0)]" })
        model.file.add(
            "tokenizer.ggml.token_type",
            [3] + [Int32](repeating: 1, count: 35) + [Int32](repeating: 5, count: 4))
        try model.write(to: folder)
        try pack(folder["m.gguf"], secondary: folder["hf"], to: folder["m.tandem"])
        #expect(try TandemFile(path: folder["m.tandem"]).manifest.kind == .pair)
    }

    @Test func otherTextsAreADifference() throws {
        try TestModel().write(to: folder, "hf")
        var model = GGUFTestModel(TestModel())
        special([5: "<other>"], &model.file)
        try model.write(to: folder)
        #expect(
            packError(folder["m.gguf"], secondary: folder["hf"], to: folder["m.tandem"])
                == .vocabulariesDiffer(id: 5, primary: "<other>", secondary: "%"))
    }

    @Test func malformed() throws {
        let path = folder["m.gguf"]
        #expect(
            try error { $0.remove("tokenizer.ggml.model") } == .noTokenizer(path: path))
        #expect(
            try error {
                $0.remove("tokenizer.ggml.eos_token_id")
                $0.add("tokenizer.ggml.eos_token_id", 40)
            }
                == .invalidField(
                    path: path, field: "tokenizer.ggml.eos_token_id",
                    reason: "is 40, but there are only 40 tokens"))
        #expect(
            try error {
                $0.remove("tokenizer.ggml.tokens")
                $0.add("tokenizer.ggml.tokens", [1, 2] as [Int32])
            } == .invalidField(path: path, field: "tokenizer.ggml.tokens", reason: "is not an array of texts")
        )
        #expect(
            try error { $0.add("tokenizer.ggml.add_bos_token", 1) }
                == .invalidField(
                    path: path, field: "tokenizer.ggml.add_bos_token", reason: "is not true or false"))
        #expect(
            try error { $0.add("tokenizer.chat_template", type: 8, littleEndian(UInt64(1)) + [0xFF]) }
                == .invalidField(path: path, field: "tokenizer.chat_template", reason: "is not valid UTF-8"))
        guard
            case .unsupportedSetting(path, "tokenizer.ggml.model", "\"rwkv\"", _)? = try error({
                $0.remove("tokenizer.ggml.model")
                $0.add("tokenizer.ggml.model", "rwkv")
            })
        else {
            Issue.record("a RWKV vocabulary was packed")
            return
        }
        #expect(
            try error {
                $0.remove("tokenizer.ggml.tokens")
                $0.remove("tokenizer.ggml.token_type")
                $0.add("tokenizer.ggml.tokens", (0..<50).map { "t\($0)" })
            } == .tokenizerTooLarge(path: path, tokens: 50, vocabularySize: 40))
    }
}
