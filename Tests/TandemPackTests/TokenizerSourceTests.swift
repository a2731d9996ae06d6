// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("The packed tokenizer")
struct TokenizerSourceTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try TestModel().write(to: folder, "m")
    }

    private func packed() throws -> Manifest {
        try pack(folder["m"], to: folder["m.tandem"], options: PackOptions(overwrite: true))
        return try TandemFile(path: folder["m.tandem"]).manifest
    }

    private func reference() throws -> TokenizerReference { try #require(try packed().tokenizer) }

    @Test func itIsStoredUnchanged() throws {
        let reference = try reference()
        let stored = try TandemFile(path: folder["m.tandem"]).bytes(ofChunk: reference.chunk).copy()
        #expect(try stored == folder.read("m/tokenizer.json"))
        #expect(try TandemFile(path: folder["m.tandem"]).chunks[reference.chunk].codec == .lz4)
    }

    @Test func specialTokens() throws {
        #expect(try reference().bos == 0)
        #expect(try reference().eos == [0])
        #expect(try !reference().addBOS)
        try folder.write(
            ["bos_token_id": 1, "eos_token_id": [2, 3, 2], "temperature": 0.5, "transformers_version": "5"],
            to: "m/generation_config.json")
        try folder.write(["bos_token": "#", "add_bos_token": true], to: "m/tokenizer_config.json")
        #expect(try reference().bos == 1)
        #expect(try reference().eos == [2, 3])
        #expect(try reference().addBOS)
        #expect(try packed().generation == ["temperature": 0.5])
    }

    @Test func specialTokensByTheirText() throws {
        var model = TestModel()
        model.config["bos_token_id"] = nil
        model.config["eos_token_id"] = nil
        try model.write(to: folder, "m")
        #expect(try reference().bos == nil)
        #expect(try reference().eos == [])
        try folder.write(
            ["bos_token": .null, "eos_token": ["content": "<|endoftext|>"]], to: "m/tokenizer_config.json")
        #expect(try reference().bos == nil)
        #expect(try reference().eos == [0])
        try folder.write(["eos_token": "</s>"], to: "m/tokenizer_config.json")
        guard
            case .invalidField(folder["m/tokenizer_config.json"], "eos_token", _)? = packError(
                folder["m"], to: folder["x"])
        else {
            Issue.record("an unknown token was accepted")
            return
        }
    }

    @Test(arguments: [["eos_token_id": 40], ["eos_token_id": -1], ["bos_token_id": "x"]] as [JSONValue])
    func specialTokensOutsideTheVocabulary(settings: JSONValue) throws {
        try folder.write(settings, to: "m/generation_config.json")
        guard
            case .invalidField(folder["m/generation_config.json"], _, _)? = packError(
                folder["m"], to: folder["x"])
        else {
            Issue.record("\(settings) was accepted")
            return
        }
    }

    @Test func chatTemplates() throws {
        #expect(try reference().chatTemplate == nil)
        try folder.write(["chat_template": "{{ one }}"], to: "m/tokenizer_config.json")
        #expect(try reference().chatTemplate == "{{ one }}")
        try folder.write(
            [
                "chat_template": [
                    ["name": "tools", "template": "x"], ["name": "default", "template": "{{ two }}"],
                ]
            ], to: "m/tokenizer_config.json")
        #expect(try reference().chatTemplate == "{{ two }}")
        try folder.write(Array("{{ three }}".utf8), to: "m/chat_template.jinja")
        #expect(try reference().chatTemplate == "{{ three }}")
    }

    @Test func itMustBeThere() throws {
        try folder.remove("m/tokenizer.json")
        #expect(packError(folder["m"], to: folder["x"]) == .noTokenizer(path: folder["m/tokenizer.json"]))
    }

    @Test func itMustBeUsable() throws {
        try folder.write(["model": ["type": "Other"]], to: "m/tokenizer.json")
        guard case .tokenizer(folder["m/tokenizer.json"], _)? = packError(folder["m"], to: folder["x"]) else {
            Issue.record("an unusable tokenizer was accepted")
            return
        }
    }

    @Test func itMustFitTheModel() throws {
        try folder.write(TestModel.tokenizer(size: 41), to: "m/tokenizer.json")
        #expect(
            packError(folder["m"], to: folder["x"])
                == .tokenizerTooLarge(path: folder["m/tokenizer.json"], tokens: 41, vocabularySize: 40))
    }
}

@Suite("Vocabularies of a pair")
struct VocabularyTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try TestModel().write(to: folder, "big")
    }

    private func error(_ change: (inout TestModel) -> Void) throws -> PackError? {
        var small = TestModel(seed: 3)
        change(&small)
        try small.write(to: folder, "small")
        return packError(folder["big"], secondary: folder["small"], to: folder["x"])
    }

    /// Padding: ids at or above the smaller vocabulary are not compared.
    @Test(arguments: [38, 41, 64])
    func sizesMayDiffer(size: Int) throws {
        let error = try error { $0 = TestModel(TestModel.Shape(vocabulary: size)) }
        #expect(error == nil)
        let file = try TandemFile(path: folder["x"])
        #expect(file.manifest.secondary?.vocabularySize == size)
        #expect(file.requiredFeatures == .architecture && file.minorVersion == 1)
    }

    @Test func tokensBelowBothSizesMustAgree() throws {
        let error = try error {
            $0 = TestModel(TestModel.Shape(vocabulary: 64))
            $0.tokenizer = TestModel.tokenizer(size: 39)
        }
        #expect(error == .vocabulariesDiffer(id: 39, primary: "G", secondary: nil))
        #expect(error?.description.contains("token 39 is \"G\" in the primary's and absent in") == true)
    }

    @Test func tokensMustAgree() throws {
        let error = try error { $0.tokenizer = TestModel.tokenizer(size: 40, characters: 0x22) }
        #expect(error == .vocabulariesDiffer(id: 1, primary: "!", secondary: "\""))
        #expect(error?.description.contains("token 1 is \"!\" in the primary's") == true)
    }

    @Test func missingTokensAreDifferences() throws {
        #expect(
            try error { $0.tokenizer = TestModel.tokenizer(size: 39) }
                == .vocabulariesDiffer(id: 39, primary: "G", secondary: nil))
    }

    @Test func otherDifferencesDoNotMatter() throws {
        let error = try error { model in
            guard case .object(var object) = model.tokenizer else { return }
            object["truncation"] = ["max_length": 9]
            model.tokenizer = .object(object)
        }
        #expect(error == nil)
    }

    @Test func bothNeedOne() throws {
        try TestModel(seed: 3).write(to: folder, "small", withTokenizer: false)
        #expect(
            packError(folder["big"], secondary: folder["small"], to: folder["x"])
                == .noTokenizer(path: folder["small/tokenizer.json"]))
    }
}
