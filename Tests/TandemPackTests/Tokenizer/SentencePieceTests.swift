// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import TandemTokenizer
import Testing

@Suite("SentencePiece models")
struct SentencePieceTests {
    static let names = [
        "sp-bpe-identity", "sp-bpe-rules", "sp-bpe-no-prefix", "sp-unigram-rules", "sp-unigram-bytes",
    ]

    /// Against ids that `sentencepiece` gave.
    @Test(arguments: names)
    func encodesAsTheReference(name: String) throws {
        let tokenizer = try TokenizerFixtures.tokenizer(TokenizerFixtures.path("\(name).model"))
        let expected = try TokenizerFixtures.json(TokenizerFixtures.path("\(name).expected.json"))
        let texts = TokenizerFixtures.texts(expected["texts"])
        let ids = TokenizerFixtures.ids(expected)
        #expect(texts.count > 60 && texts.count == ids.count)
        for (text, expected) in zip(texts, ids) {
            #expect(
                tokenizer.encode(text, addSpecialTokens: false, parseSpecial: false) == expected,
                "\(text.debugDescription)")
        }
    }

    @Test(.enabled(if: TokenizerFixtures.hasShared, "needs ../shared/data"))
    func encodesAsLlama2() throws {
        let tokenizer = try TokenizerFixtures.tokenizer(
            TokenizerFixtures.sharedPath("sentencepiece/llama2.model"))
        let texts = TokenizerFixtures.texts(
            try TokenizerFixtures.json(TokenizerFixtures.sharedPath("goldens/texts.json")))
        let ids = TokenizerFixtures.ids(
            try TokenizerFixtures.json(TokenizerFixtures.sharedPath("goldens/sp_llama2.json")))
        #expect(texts.count > 200 && texts.count == ids.count)
        for (text, expected) in zip(texts, ids) {
            let found = tokenizer.encode(text, addSpecialTokens: false, parseSpecial: false)
            #expect(found == expected, "\(text.debugDescription)")
        }
        #expect(tokenizer.encode("a").first == 1)
    }

    @Test func decodesWhatItEncodes() throws {
        let tokenizer = try TokenizerFixtures.tokenizer(TokenizerFixtures.path("sp-bpe-identity.model"))
        for text in ["Once upon a time", " two  spaces ", "日本 ß é\n\t", "<0x41> ▁", "fox<sep>fox x"] {
            let ids = tokenizer.encode(text)
            // The mark that stands for spaces is a space when decoded, as in the reference.
            let expected = String(text.map { $0 == "▁" ? " " : $0 })
            #expect(tokenizer.decode(ids) == expected)
        }
    }

    /// Whatever a damaged model says: an error, or a tokenizer that works.
    @Test(arguments: names)
    func damagedModelsNeverTrap(name: String) throws {
        let bytes = try TokenizerFixtures.bytes(TokenizerFixtures.path("\(name).model"))
        var state: UInt64 = 7
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(limit))
        }
        var loaded = 0
        for round in 0..<120 {
            var damaged = bytes
            for _ in 0...random(3) {
                let position = random(damaged.count)
                switch round % 4 {
                case 0: damaged[position] = UInt8(random(256))
                case 1: damaged.remove(at: position)
                case 2: damaged = Array(damaged[..<max(1, position)])
                default: damaged[position] ^= 1 << UInt8(random(8))
                }
            }
            guard let json = try? sentencePieceDocument(path: "m", bytes: damaged),
                let tokenizer = try? Tokenizer(json: json)
            else { continue }
            loaded += 1
            #expect(tokenizer.encode("a fox's text").allSatisfy { tokenizer.token($0) != nil })
        }
        #expect(loaded > 0 && loaded < 120)
        #expect(throws: PackError.self) { try sentencePieceDocument(path: "m", bytes: []) }
        #expect(throws: PackError.self) {
            try sentencePieceDocument(
                path: "m", bytes: [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
        }
    }
}
