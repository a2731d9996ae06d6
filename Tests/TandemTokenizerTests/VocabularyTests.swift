// SPDX-License-Identifier: Apache-2.0

import TandemTokenizer
import Testing

@Suite struct VocabularyTests {
    @Test func looksUpTokens() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        #expect(tokenizer.vocabularySize == 600)
        let space = try tokenizer.id(of: "Ġ").orThrow("Ġ")
        #expect(tokenizer.token(space) == "Ġ")
        #expect(tokenizer.bytes(of: space) == [0x20])
        let end = try tokenizer.id(of: "<|end|>").orThrow("<|end|>")
        #expect(tokenizer.isSpecial(end))
        #expect(!tokenizer.isSpecial(space))
        #expect(tokenizer.bytes(of: end) == Array("<|end|>".utf8))
        #expect(tokenizer.id(of: "no such token") == nil)
        for id: TokenID in [-1, 600, .max, .min] {
            #expect(tokenizer.token(id) == nil)
            #expect(tokenizer.bytes(of: id).isEmpty)
            #expect(!tokenizer.isSpecial(id))
            #expect(tokenizer.decode([id, space]) == " ")
        }
    }

    @Test func byteTokensAreBytes() throws {
        let tokenizer = try Fixtures.tokenizer("llama2")
        let bell = try tokenizer.id(of: "<0x07>").orThrow("<0x07>")
        #expect(tokenizer.bytes(of: bell) == [0x07])
        #expect(tokenizer.encode("\u{7}", addSpecialTokens: false).contains(bell))
    }

    @Test func canonicallyEquivalentTokensAreDistinct() throws {
        let tokenizer = try Tokenizer(
            vocab: Array("{\"Ã\": 0, \"A\u{303}\": 1, \"A\": 2}".utf8), merges: [])
        #expect(tokenizer.id(of: "\u{C3}") == 0)
        #expect(tokenizer.id(of: "A\u{303}") == 1)
    }

    @Test func gapsBetweenIdsAreNoTokens() throws {
        let tokenizer = try Tokenizer(vocab: Array("{\"a\": 3, \"b\": 900}".utf8), merges: [])
        #expect(tokenizer.vocabularySize == 901)
        #expect(tokenizer.token(4) == nil)
        #expect(tokenizer.encode("ab?") == [3, 900])
        #expect(tokenizer.decode([3, 4, 900]) == "ab")
    }

    @Test func mergesTextMayHaveAVersionAndCarriageReturns() throws {
        let vocab = Array("{\"a\":0,\"b\":1,\"ab\":2,\"#\":3,\"##\":4}".utf8)
        let plain = try Tokenizer(vocab: vocab, merges: Array("a b\n# #\n".utf8))
        #expect(plain.encode("ab##") == [2, 4])
        let versioned = try Tokenizer(vocab: vocab, merges: Array("#version: 0.2\r\na b\r\n".utf8))
        #expect(versioned.encode("ab##") == [2, 3, 3])
    }

    @Test func manyThreadsShareOneTokenizer() async throws {
        let tokenizer = try Fixtures.tokenizer("qwen2")
        let expected = try Fixtures.expected("qwen2")
        let wrong = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var wrong = 0
                    for _ in 0..<20 {
                        for (text, ids) in zip(expected.texts, expected.ids)
                        where tokenizer.encode(text, addSpecialTokens: false) != ids { wrong += 1 }
                    }
                    return wrong
                }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }
}
