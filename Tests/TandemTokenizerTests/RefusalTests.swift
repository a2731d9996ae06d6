// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer
import Testing

/// What a tokenizer must not be made of, and the place each message names.
@Suite struct RefusalTests {
    private static let whole = """
        {"model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3,"<s>":4},"merges":["a b"]},
         "added_tokens":[{"id":4,"content":"<s>","special":true}],
         "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
         "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
           {"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[4]}}},
         "decoder":{"type":"ByteLevel"},"normalizer":{"type":"NFC"}}
        """

    private static func refusal(replacing part: String, with other: String) -> TokenizerError? {
        let text = whole.replacing(part, with: other)
        precondition(text != whole || part == other)
        do {
            _ = try Tokenizer(json: Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test func theWholeIsAccepted() throws {
        let tokenizer = try Tokenizer(json: Array(Self.whole.utf8))
        #expect(tokenizer.encode("abc<s>") == [4, 3, 2, 4])
        #expect(tokenizer.encode("abc<s>", parseSpecial: false) == [4, 3, 2])
        #expect(tokenizer.decode([4, 3, 2]) == "abc")
    }

    @Test(
        arguments: [
            (
                "\"type\":\"BPE\"", "\"type\":\"WordPiece\"",
                .unsupported(path: "model.type", value: "\"WordPiece\"", supported: "BPE, Unigram")
            ),
            ("\"model\":", "\"modell\":", .missingField(path: "model")),
            ("\"vocab\":", "\"vocabulary\":", .missingField(path: "model.vocab")),
            ("\"merges\":[\"a b\"]", "\"merges\":null", .missingField(path: "model.merges")),
            ("[\"a b\"]", "{}", .wrongType(path: "model.merges", expected: "an array")),
            ("[\"a b\"]", "[\"ab\"]", .malformedMerge(path: "model.merges[0]")),
            ("[\"a b\"]", "[\"a b\",\"a b c\"]", .malformedMerge(path: "model.merges[1]")),
            ("[\"a b\"]", "[\"a b\",[\"a\"]]", .malformedMerge(path: "model.merges[1]")),
            ("[\"a b\"]", "[\"a b\",7]", .malformedMerge(path: "model.merges[1]")),
            ("[\"a b\"]", "[\"x b\"]", .unknownToken(path: "model.merges[0]", token: "x")),
            ("[\"a b\"]", "[\"a y\"]", .unknownToken(path: "model.merges[0]", token: "y")),
            ("[\"a b\"]", "[\"b a\"]", .unknownToken(path: "model.merges[0]", token: "ba")),
            ("\"c\":2", "\"c\":1", .duplicateID(path: "model.vocab", id: 1, first: "b", second: "c")),
            ("\"c\":2", "\"c\":-2", .idOutOfRange(path: "model.vocab", token: "c", id: -2, limit: 65_584)),
            (
                "\"c\":2", "\"c\":16777216",
                .idOutOfRange(path: "model.vocab", token: "c", id: 16_777_216, limit: 65_584)
            ),
            ("\"c\":2", "\"c\":1.5", .wrongType(path: "model.vocab[\"c\"]", expected: "an integer")),
            ("\"c\":2", "\"c\":\"2\"", .wrongType(path: "model.vocab[\"c\"]", expected: "an integer")),
            (
                "{\"id\":4,\"content\"", "{\"id\":5,\"content\"",
                .conflictingID(path: "added_tokens[0]", token: "<s>", id: 5, vocabularyID: 4)
            ),
            (
                "\"content\":\"<s>\"", "\"content\":\"<t>\"",
                .duplicateID(path: "added_tokens[0]", id: 4, first: "<s>", second: "<t>")
            ),
            (
                "{\"id\":4,\"content\"", "{\"id\":99999999,\"content\"",
                .idOutOfRange(path: "added_tokens[0]", token: "<s>", id: 99_999_999, limit: 16_777_216)
            ),
            ("{\"id\":4,\"content\"", "{\"content\"", .missingField(path: "added_tokens[0].id")),
            (
                "\"special\":true", "\"special\":1",
                .wrongType(path: "added_tokens[0].special", expected: "true or false")
            ),
            (
                "\"ids\":[4]", "\"ids\":[9]",
                .unknownToken(path: "post_processor.special_tokens.<s>.ids[0]", token: "<s> (9)")
            ),
            (
                "\"special_tokens\":{\"<s>\"", "\"special_tokens\":{\"<t>\"",
                .missingField(path: "post_processor.special_tokens.<s>")
            ),
            (
                "{\"type\":\"NFC\"}", "{\"type\":\"BertNormalizer\"}",
                .unsupported(
                    path: "normalizer.type", value: "\"BertNormalizer\"",
                    supported: "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Nmt, ByteLevel, Prepend, "
                        + "Replace, Precompiled, Strip, Sequence")
            ),
            (
                "{\"type\":\"NFC\"}", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}",
                .wrongType(path: "normalizer.precompiled_charsmap", expected: "a character map in base 64")
            ),
            (
                "{\"type\":\"NFC\"}",
                "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a)\\\\1\"},\"content\":\"\"}",
                .unsupportedPattern(
                    path: "normalizer.pattern.Regex", pattern: "(a)\\1",
                    reason: "refers back to a group, \\1")
            ),
            (
                "{\"type\":\"NFC\"}", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"\"}",
                .wrongType(path: "normalizer.pattern.String", expected: "a string that is not empty")
            ),
            (
                "{\"type\":\"NFC\"}", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{}]}",
                .missingField(path: "normalizer.normalizers[1].type")
            ),
            (
                "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
                "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a-\"},\"behavior\":\"Isolated\",\"invert\":false}",
                .unsupportedPattern(
                    path: "pre_tokenizer.pattern.Regex", pattern: "[a-", reason: "has a '[' without its ']'")
            ),
            (
                "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
                "{\"type\":\"Split\",\"pattern\":{\"String\":\"x\"},\"behavior\":\"Sideways\"}",
                .unsupported(
                    path: "pre_tokenizer.behavior", value: "\"Sideways\"",
                    supported: "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous")
            ),
            (
                "{\"type\":\"ByteLevel\"}", "{\"type\":\"CTC\"}",
                .unsupported(
                    path: "decoder.type", value: "\"CTC\"",
                    supported: "ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip, Sequence")
            ),
            (
                "{\"type\":\"ByteLevel\"}", "{\"type\":\"Strip\",\"content\":\" \",\"start\":0,\"stop\":1}",
                .unsupported(
                    path: "decoder.stop", value: "1",
                    supported: "0: the end of a text that is still being written is not known")
            ),
            (
                "\"type\":\"BPE\"", "\"type\":\"BPE\",\"dropout\":0.1",
                .unsupported(path: "model.dropout", value: "0.1", supported: "no dropout")
            ),
            (
                "\"type\":\"BPE\"", "\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"",
                .unsupported(path: "model.end_of_word_suffix", value: "\"</w>\"", supported: "none")
            ),
            (
                "\"type\":\"BPE\"", "\"type\":\"BPE\",\"unk_token\":\"<unk>\"",
                .unknownToken(path: "model.unk_token", token: "<unk>")
            ),
        ] as [(String, String, TokenizerError)])
    func names(part: String, other: String, error: TokenizerError) {
        let refusal = Self.refusal(replacing: part, with: other)
        #expect(refusal == error)
        #expect(refusal?.description.isEmpty == false)
    }

    @Test func whatIsNoTokenizerIsNamed() {
        #expect(
            throws: TokenizerError.malformedJSON(reason: "JSON ends at byte 0, where a value is expected")
        ) {
            try Tokenizer(json: [])
        }
        #expect(throws: TokenizerError.wrongType(path: "", expected: "an object")) {
            try Tokenizer(json: Array("[]".utf8))
        }
        #expect(throws: TokenizerError.emptyVocabulary(path: "vocab.json")) {
            try Tokenizer(vocab: Array("{}".utf8), merges: [])
        }
        #expect(throws: TokenizerError.malformedMerge(path: "merges.txt line 2")) {
            try Tokenizer(vocab: Array("{\"a\":0}".utf8), merges: Array("\nabc\n".utf8))
        }
        #expect(throws: TokenizerError.unknownToken(path: "merges.txt line 1", token: "aa")) {
            try Tokenizer(vocab: Array("{\"a\":0}".utf8), merges: Array("a a\n".utf8))
        }
        #expect(throws: TokenizerError.tokenTooLong(path: "vocab.json", bytes: 70_000, limit: 65_536)) {
            try Tokenizer(
                vocab: Array("{\"\(String(repeating: "a", count: 70_000))\":0}".utf8), merges: [])
        }
    }

    /// Whatever a damaged file says: an error, or a tokenizer that works.
    @Test(arguments: ["gpt2", "punctuated", "llama2", "metaspace_unknown", "unigram"])
    func damagedFilesNeverTrap(name: String) throws {
        let bytes = try Fixtures.bytes(name + ".json")
        // Where the interesting parts are: everything but the vocabulary.
        let vocabulary = bytes.firstRange(of: Array("\"vocab\"".utf8))?.lowerBound ?? bytes.count
        var random = SplitMix(seed: 41)
        var loaded = 0
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let limit = Bool.random(using: &random) ? vocabulary : damaged.count
                let position = Int.random(in: 0..<min(limit, damaged.count), using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[position] = UInt8.random(in: 0x20..<0x7F, using: &random)
                case 1: damaged.remove(at: position)
                case 2: damaged.insert(UInt8.random(in: 0x30..<0x3A, using: &random), at: position)
                default: damaged[position] ^= 1 << UInt8.random(in: 0..<7, using: &random)
                }
            }
            guard let tokenizer = try? Tokenizer(json: damaged) else { continue }
            loaded += 1
            let text = random.text(count: 30) + " <|end|><mask> word"
            let ids = tokenizer.encode(text)
            #expect(ids.allSatisfy { tokenizer.token($0) != nil })
            _ = tokenizer.decode(ids)
        }
        #expect(loaded > 0 && loaded < 1500)
    }
}
