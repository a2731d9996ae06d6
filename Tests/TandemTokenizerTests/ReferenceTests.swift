// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer
import Testing

/// Against ids that Hugging Face `tokenizers` gave for tokenizers of every supported kind.
@Suite struct ReferenceTests {
    @Test(arguments: Fixtures.names)
    func encodesAsTheReference(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let expected = try Fixtures.expected(name)
        for (index, text) in expected.texts.enumerated() {
            #expect(
                tokenizer.encode(text, addSpecialTokens: false) == expected.ids[index],
                "\(text.debugDescription)")
            #expect(tokenizer.encode(text) == expected.withSpecialTokens[index], "\(text.debugDescription)")
            // There unigram models find control tokens even in plain text.
            if name.hasPrefix("unigram") { continue }
            #expect(
                tokenizer.encode(text, addSpecialTokens: false, parseSpecial: false)
                    == expected.specialTokensAsText[index], "\(text.debugDescription)")
        }
    }

    @Test(arguments: Fixtures.names)
    func decodesAsTheReference(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let expected = try Fixtures.expected(name)
        for (index, ids) in expected.ids.enumerated() {
            let decoded = tokenizer.decode(ids)
            #expect(sameBytes(decoded, expected.decoded[index]), "\(decoded.debugDescription)")
            let spelt = tokenizer.decode(ids, skipSpecialTokens: false)
            #expect(sameBytes(spelt, expected.decodedWithSpecialTokens[index]), "\(spelt.debugDescription)")
        }
    }

    @Test(
        .enabled(if: SharedData.isPresent, "needs ../shared/data"),
        arguments: [
            ("tokenizers/hf/phi-2", "hf_phi-2"), ("tokenizers/hf/gpt-neox-20b", "hf_gpt-neox-20b"),
            ("tokenizers/hf/phi-3", "hf_phi-3"), ("tokenizers/hf/t5-small", "hf_t5-small"),
            ("tokenizers/gpt2", "hf_gpt2_vocab_merges"),
        ])
    func encodesAsKnownModels(folder: String, golden: String) throws {
        let tokenizer =
            folder == "tokenizers/gpt2"
            ? try Tokenizer(
                vocab: SharedData.bytes("\(folder)/gpt2_vocab.json"),
                merges: SharedData.bytes("\(folder)/gpt2_merges.txt"))
            : try Tokenizer(json: SharedData.bytes("\(folder)/tokenizer.json"))
        let texts = try JSONValue(parsing: SharedData.bytes("tokenizers/goldens/texts.json"))
            .arrayValue.orThrow("texts").map { try ($0["text"]?.stringValue).orThrow("text") }
        let ids = try Expected.lists(
            JSONValue(parsing: SharedData.bytes("tokenizers/goldens/\(golden).json")), "ids")
        #expect(texts.count == ids.count && texts.count > 200)
        for (text, expected) in zip(texts, ids) {
            #expect(tokenizer.encode(text, addSpecialTokens: false) == expected, "\(text.debugDescription)")
        }
    }
}
