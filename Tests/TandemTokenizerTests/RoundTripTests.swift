// SPDX-License-Identifier: Apache-2.0

import TandemTokenizer
import Testing

@Suite struct RoundTripTests {
    /// Those that neither normalise nor add a space.
    private static let faithful = ["gpt2", "llama3", "cl100k", "o200k", "starcoder"]

    @Test(arguments: faithful)
    func byteLevelTextComesBackWhole(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        var random = SplitMix(seed: 11)
        for _ in 0..<2000 {
            let text = random.text(count: 60)
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            let decoded = tokenizer.decode(ids, skipSpecialTokens: false)
            #expect(sameBytes(decoded, text), "\(text.debugDescription)")
        }
    }

    /// Every id on its own way, so that most sequences are no valid UTF-8.
    @Test(arguments: Fixtures.names)
    func deltasAddUpToTheWhole(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        var random = SplitMix(seed: 12)
        for round in 0..<2000 {
            let skip = round % 2 == 0
            let limit = round % 3 == 0 ? 300 : TokenID(tokenizer.vocabularySize) + 2
            let ids = (0..<Int.random(in: 0..<20, using: &random)).map { _ in
                TokenID.random(in: -1..<limit, using: &random)
            }
            var detokenizer = tokenizer.makeDetokenizer(skipSpecialTokens: skip)
            var text = ""
            for id in ids { text += detokenizer.append(id) }
            text += detokenizer.finish()
            #expect(sameBytes(text, tokenizer.decode(ids, skipSpecialTokens: skip)), "\(ids)")
        }
    }

    @Test func decodingIsThatOfAllBytes() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        var random = SplitMix(seed: 13)
        for _ in 0..<2000 {
            let ids = (0..<8).map { _ in TokenID.random(in: 0..<600, using: &random) }
            let bytes = ids.flatMap { tokenizer.bytes(of: $0) }
            let whole = String(decoding: bytes, as: UTF8.self)
            #expect(sameBytes(tokenizer.decode(ids, skipSpecialTokens: false), whole))
        }
    }

    @Test func deltasHoldBackIncompleteScalars() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        let bytes = Array("😀é".utf8)
        var detokenizer = tokenizer.makeDetokenizer()
        var deltas: [String] = []
        for byte in bytes {
            let id = (0..<TokenID(tokenizer.vocabularySize)).first { tokenizer.bytes(of: $0) == [byte] }
            deltas.append(detokenizer.append(try id.orThrow("byte \(byte)")))
        }
        #expect(deltas == ["", "", "", "😀", "", "é"])
        #expect(detokenizer.finish() == "")
    }

    @Test func detokenizersAreValues() throws {
        let tokenizer = try Fixtures.tokenizer("llama2")
        let ids = tokenizer.encode("a fox", addSpecialTokens: false)
        var first = tokenizer.makeDetokenizer()
        let fresh = first
        let text = ids.map { first.append($0) }.joined() + first.finish()
        var second = fresh
        #expect(ids.map { second.append($0) }.joined() + second.finish() == text)
        #expect(ids.map { first.append($0) }.joined() + first.finish() == text, "finish starts a new text")
        #expect(text == "a fox")
    }
}
