// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("config.json of every family, against transformers")
struct FamilyConfigurationTests {
    @Test func thereAreFixtures() {
        #expect(FamilyFixture.all.count >= 50)
        #expect(FamilyFixture.all.count { !$0.tensors.isEmpty } >= 36)
    }

    private func read(_ fixture: FamilyFixture) throws -> HuggingFaceConfiguration {
        let folder = try TemporaryFolder()
        try folder.write(.object(fixture.config), to: "config.json")
        return try HuggingFaceConfiguration(path: folder["config.json"])
    }

    @Test(arguments: FamilyFixture.all)
    func sizes(fixture: FamilyFixture) throws {
        let configuration = try read(fixture).configuration
        #expect(try configuration.vocabularySize == fixture.integer("vocabulary_size"))
        #expect(try configuration.hiddenSize == fixture.integer("hidden_size"))
        #expect(try configuration.layerCount == fixture.integer("layer_count"))
        #expect(try configuration.headCount == fixture.integer("head_count"))
        #expect(try configuration.keyValueHeadCount == fixture.integer("key_value_head_count"))
        #expect(try configuration.headSize == fixture.integer("head_size"))
        #expect(try configuration.intermediateSize == fixture.integer("intermediate_size"))
        #expect(try configuration.maxPositions == fixture.integer("max_positions"))
        #expect(try configuration.normEpsilon == fixture.float("norm_epsilon"))
        #expect(try configuration.tiedEmbeddings == fixture.bool("tied_embeddings"))
    }

    @Test(arguments: FamilyFixture.all)
    func layers(fixture: FamilyFixture) throws {
        let configuration = try read(fixture).configuration
        let architecture = configuration.architecture
        #expect(try architecture.normPlacement.rawValue == fixture.string("norm_placement"))
        #expect(try architecture.queryKeyNorm.rawValue == fixture.string("query_key_norm"))
        #expect(try architecture.activation.rawValue == fixture.string("activation"))
        #expect(try architecture.attentionBias == fixture.bool("attention_bias"))
        #expect(try architecture.outputBias == fixture.bool("output_bias"))
        #expect(try architecture.mlpBias == fixture.bool("mlp_bias"))
        let scale = architecture.attentionScale ?? 1 / Float(configuration.headSize).squareRoot()
        #expect(try abs(scale / fixture.float("attention_scale") - 1) < 2e-7)
        #expect(try architecture.attentionSoftcap == fixture.optionalFloat("attention_softcap"))
        #expect(try architecture.logitSoftcap == fixture.optionalFloat("logit_softcap"))
        #expect(try architecture.embeddingScale == fixture.float("embedding_scale"))
        #expect(try architecture.residualScale == fixture.float("residual_scale"))
        #expect(try architecture.logitScale == 1 / fixture.float("logit_divisor"))
    }

    /// A window as long as the model's positions is none.
    @Test(arguments: FamilyFixture.all)
    func windows(fixture: FamilyFixture) throws {
        let configuration = try read(fixture).configuration
        for (layer, window) in try fixture.integers("windows").enumerated() {
            let window = try #require(window)
            let effective = window >= configuration.maxPositions ? 0 : window
            #expect(configuration.architecture.window(ofLayer: layer) == effective, "layer \(layer)")
        }
        let windows = configuration.architecture.layerWindows
        #expect(windows.isEmpty || windows.contains { $0 > 0 }, "no window must be written as no list")
    }

    @Test(arguments: FamilyFixture.all)
    func rotaryEmbeddings(fixture: FamilyFixture) throws {
        let result = try read(fixture)
        let (configuration, architecture) = (result.configuration, result.configuration.architecture)
        let kinds = try #require(fixture.expected["ropes"]?.arrayValue)
        let layers = try fixture.integers("layer_ropes")
        #expect(result.ropes.map(\.description) == architecture.ropes)
        if architecture.ropes.isEmpty {
            // The plain kind, over whole heads, is described by its base alone.
            #expect(kinds.count == 1 && kinds[0]["plain"]?.boolValue == true)
            #expect(kinds[0]["rotary_size"]?.intValue == configuration.headSize)
        }
        let base = try #require(kinds.first?["base"]?.doubleValue)
        #expect(configuration.ropeBase == Float(base))
        for (layer, expected) in layers.enumerated() {
            let rope = architecture.rope(ofLayer: layer)
            #expect((rope == nil) == (expected == nil), "layer \(layer)")
            guard let rope, let expected else { continue }
            let kind = kinds[expected]
            if architecture.ropes.isEmpty { continue }
            let found = result.ropes[rope]
            #expect(found.rotarySize == kind["rotary_size"]?.intValue)
            try compare(found.frequencies, kind["frequencies"])
            #expect(Double(found.attentionFactor).isClose(to: kind["attention_factor"]?.doubleValue))
            #expect(found.long?.above == kind["long_above"]?.intValue)
            if let long = found.long { try compare(long.frequencies, kind["long"]) }
        }
    }

    /// PyTorch's power is within one unit in the last place; the rest of the arithmetic is the same.
    private func compare(_ found: [Float], _ expected: JSONValue?) throws {
        let expected = try #require(expected?.arrayValue).compactMap(\.doubleValue).map { Float($0) }
        try #require(found.count == expected.count)
        for (index, (found, expected)) in zip(found, expected).enumerated() {
            #expect(abs(found - expected) <= 2 * expected.ulp, "frequency \(index): \(found), \(expected)")
        }
    }

    /// Models that compute what Llama does are written as such, so that older readers read them.
    @Test(arguments: [
        ("llama2-new", "llama"), ("mistral-new", "llama"), ("smollm2-old", "llama"), ("llama3-old", "llama"),
        ("mistral-window-new", "mistral"), ("qwen2-old", "qwen2"), ("gemma3-multimodal-new", "gemma3"),
        ("gemma3-old", "gemma3"), ("phi4-mini-new", "phi3"), ("smollm3-new", "smollm3"),
    ])
    func familyNames(name: String, family: String) throws {
        let configuration = try read(FamilyFixture.named(name)).configuration
        #expect(configuration.family == family)
    }
}

extension Double {
    fileprivate func isClose(to other: Double?) -> Bool {
        guard let other else { return false }
        return abs(self - other) <= 1e-7 * abs(other)
    }
}
