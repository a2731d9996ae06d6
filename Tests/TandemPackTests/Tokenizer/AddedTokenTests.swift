// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import TandemTokenizer
import Testing

@Suite("Tokens added beside the tokenizer")
struct AddedTokenTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try TestModel().write(to: folder, "m")
    }

    @Test func tokensOfTheConfigurationAreMerged() throws {
        try folder.write(TestModel.tokenizer(size: 39), to: "m/tokenizer.json")
        try folder.write(
            [
                "added_tokens_decoder": [
                    "0": ["content": "<|endoftext|>", "special": true],
                    "39": ["content": "<|new|>", "special": true, "rstrip": true],
                ]
            ], to: "m/tokenizer_config.json")
        let tokenizer = try Tokenizer(json: StandaloneTokenizer.document(path: folder["m"]))
        #expect(tokenizer.id(of: "<|new|>") == 39)
        #expect(tokenizer.isSpecial(39))
        #expect(tokenizer.encode("<|new|>  ", addSpecialTokens: false) == [39])
    }

    @Test func nothingToAddChangesNothing() throws {
        try folder.write(
            ["added_tokens_decoder": ["0": ["content": "<|endoftext|>", "special": true]]],
            to: "m/tokenizer_config.json")
        #expect(try StandaloneTokenizer.document(path: folder["m"]) == folder.read("m/tokenizer.json"))
    }

    @Test(
        arguments: [["x": ["content": "a"]], ["4": ["special": true]], ["-1": ["content": "a"]]]
            as [JSONValue])
    func malformedEntriesAreNamed(decoder: JSONValue) throws {
        try folder.write(["added_tokens_decoder": decoder], to: "m/tokenizer_config.json")
        guard
            case .invalidField(folder["m/tokenizer_config.json"], _, _)? = packError(
                folder["m"], to: folder["x"])
        else {
            Issue.record("\(decoder) was accepted")
            return
        }
    }

    /// A model directory that has a SentencePiece model only.
    @Test func sentencePieceModelsPack() throws {
        var model = TestModel(TestModel.Shape(vocabulary: 600))
        model.config["eos_token_id"] = 2
        try model.write(to: folder, "s", withTokenizer: false)
        try folder.write(
            TokenizerFixtures.bytes(TokenizerFixtures.path("sp-bpe-identity.model")), to: "s/tokenizer.model")
        try folder.write(["<|chat|>": 590], to: "s/added_tokens.json")
        try pack(folder["s"], to: folder["s.tandem"])
        let file = try TandemFile(path: folder["s.tandem"])
        let reference = try #require(file.manifest.tokenizer)
        let tokenizer = try Tokenizer(json: file.bytes(ofChunk: reference.chunk).copy())
        let expected = try TokenizerFixtures.json(TokenizerFixtures.path("sp-bpe-identity.expected.json"))
        for (text, ids) in zip(TokenizerFixtures.texts(expected["texts"]), TokenizerFixtures.ids(expected)) {
            #expect(tokenizer.encode(text, addSpecialTokens: false, parseSpecial: false) == ids)
        }
        #expect(tokenizer.id(of: "<|chat|>") == 590)
    }
}
