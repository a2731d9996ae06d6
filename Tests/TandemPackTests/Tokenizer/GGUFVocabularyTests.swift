// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemPack
import TandemTokenizer
import Testing

@Suite("GGUF vocabularies")
struct GGUFVocabularyTests {
    /// llama.cpp's own conformance texts and ids.
    @Test(
        .enabled(if: TokenizerFixtures.hasShared, "needs ../shared/data"),
        arguments: ["gpt-2", "llama-spm", "phi-3", "starcoder"])
    func encodesAsTheReference(name: String) throws {
        let path = TokenizerFixtures.sharedPath("gguf/ggml-vocab-\(name).gguf")
        let tokenizer = try TokenizerFixtures.tokenizer(path)
        let input = String(decoding: try TokenizerFixtures.bytes(path + ".inp"), as: UTF8.self)
        let output = String(decoding: try TokenizerFixtures.bytes(path + ".out"), as: UTF8.self)
        let texts = input.split(separator: "\n__ggml_vocab_test__\n", omittingEmptySubsequences: false)
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(texts.count > 40)
        for (index, text) in texts.enumerated() {
            let expected = lines[index].split(separator: " ").compactMap { TokenID($0) }
            let found = tokenizer.encode(String(text), addSpecialTokens: false, parseSpecial: false)
            #expect(found == expected, "\(text.debugDescription)")
        }
    }

    private static func scored() -> GGUFVocabulary {
        var vocabulary = GGUFVocabulary(path: "x.gguf", model: "llama")
        let texts = ["<unk>", "<s>", "</s>", "<0x21>", "\u{2581}", "a", "b", "aa", "aaa", "\u{2581}a", "<b>"]
        vocabulary.tokens = texts.map { Array($0.utf8) }
        vocabulary.scores = [0, 0, 0, 0, -9, -8, -8, -1, -2, -3, 0]
        vocabulary.types = [2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 4]
        return vocabulary
    }

    @Test func scoresOrderTheMerges() throws {
        let tokenizer = try Tokenizer(json: Self.scored().tokenizerJSON())
        #expect(tokenizer.encode("aaa", addSpecialTokens: false) == [4, 8])
        #expect(tokenizer.encode("aa aa", addSpecialTokens: false) == [4, 7, 4, 7])
        #expect(tokenizer.encode("ab!", addSpecialTokens: false) == [9, 6, 3])
        #expect(tokenizer.encode("b<b>b<s>b") == [1, 4, 6, 10, 4, 6, 1, 4, 6])
        #expect(tokenizer.encode("<s>", addSpecialTokens: false, parseSpecial: false) == [4, 0])
        #expect(tokenizer.decode([1, 4, 7, 3, 2]) == "aa!")
        var bare = Self.scored()
        bare.addSpacePrefix = false
        bare.addBOS = false
        bare.addEOS = true
        #expect(try Tokenizer(json: bare.tokenizerJSON()).encode("aa") == [7, 2])
    }

    @Test func splitsByName() throws {
        var vocabulary = GGUFVocabulary(path: "x.gguf", model: "gpt2")
        vocabulary.tokens = ["a", "1", "11", "Ġ", "Ġa", "<|e|>"].map { Array($0.utf8) }
        vocabulary.types = [1, 1, 1, 1, 1, 3]
        vocabulary.merges = ["1 1", "Ġ a"].map { Array($0.utf8) }
        vocabulary.bos = 5
        for (pre, expected) in [("llama-bpe", [5, 2, 4]), ("qwen2", [1, 1, 4]), ("gpt-2", [2, 4])]
            as [(String, [TokenID])]
        {
            vocabulary.pre = pre
            #expect(try Tokenizer(json: vocabulary.tokenizerJSON()).encode("11 a") == expected, "\(pre)")
        }
    }

    @Test func whatIsWrongIsNamed() throws {
        func error(_ change: (inout GGUFVocabulary) -> Void) -> PackError? {
            var vocabulary = Self.scored()
            change(&vocabulary)
            do {
                _ = try vocabulary.tokenizerJSON()
                return nil
            } catch {
                return error
            }
        }
        #expect(error { _ in } == nil)
        let changes: [(String, (inout GGUFVocabulary) -> Void)] = [
            ("tokenizer.ggml.tokens", { $0.tokens = [] }), ("tokenizer.ggml.scores", { $0.scores = [] }),
            ("tokenizer.ggml.scores", { $0.scores.removeLast() }),
            ("tokenizer.ggml.scores[3]", { $0.scores[3] = .infinity }),
            ("tokenizer.ggml.token_type", { $0.types.append(1) }),
            ("tokenizer.ggml.token_type[2]", { $0.types[2] = 9 }),
            ("tokenizer.ggml.tokens[5]", { $0.tokens[5] = [0xFF] }),
            ("tokenizer.ggml.tokens[6]", { $0.tokens[6] = $0.tokens[5] }),
            ("tokenizer.ggml.bos_token_id", { $0.bos = 11 }),
            ("tokenizer.ggml.eos_token_id", { $0.eos = -4 }),
        ]
        for (field, change) in changes {
            guard case .invalidField("x.gguf", field, _)? = error(change) else {
                Issue.record("\(field): \(String(describing: error(change)))")
                continue
            }
        }
        for (key, change) in [
            ("tokenizer.ggml.model", { $0.model = "bert" }),
            (
                "tokenizer.ggml.pre",
                {
                    $0.model = "gpt2"
                    $0.pre = "unheard-of"
                }
            ),
        ] as [(String, (inout GGUFVocabulary) -> Void)] {
            guard case .unsupportedSetting("x.gguf", key, _, _)? = error(change) else {
                Issue.record("\(key) was accepted")
                continue
            }
        }
    }
}
