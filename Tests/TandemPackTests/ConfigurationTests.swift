// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("config.json of the Llama family")
struct ConfigurationTests {
    private func error(
        shape: TestModel.Shape = TestModel.Shape(), _ changes: [String: JSONValue?]
    ) throws -> (error: PackError?, path: String) {
        let folder = try TemporaryFolder()
        var model = TestModel(shape)
        for (key, value) in changes { model.config[key] = value }
        try model.write(to: folder, "m")
        return (packError(folder["m"], to: folder["m.tandem"]), folder["m/config.json"])
    }

    private func configuration(_ changes: [String: JSONValue?]) throws -> ModelConfiguration {
        let folder = try TemporaryFolder()
        var model = TestModel()
        for (key, value) in changes { model.config[key] = value }
        try model.write(to: folder, "m")
        try pack(folder["m"], to: folder["m.tandem"])
        return try TandemFile(path: folder["m.tandem"]).manifest.primary
    }

    @Test func sizesAreMapped() throws {
        let configuration = try configuration([:])
        #expect(
            try configuration
                == ModelConfiguration(
                    vocabularySize: 40, hiddenSize: 48, layerCount: 2, headCount: 3, keyValueHeadCount: 1,
                    headSize: 16, intermediateSize: 80, maxPositions: 64, normEpsilon: 1e-5, ropeBase: 10000,
                    tiedEmbeddings: false))
    }

    @Test func whatMayBeLeftOut() throws {
        let configuration = try configuration([
            "head_dim": nil, "rms_norm_eps": nil, "rope_theta": nil, "max_position_embeddings": nil,
            "tie_word_embeddings": nil, "hidden_act": nil, "model_type": nil,
        ])
        #expect(configuration.headSize == 16)
        #expect(configuration.normEpsilon == 1e-6)
        #expect(configuration.ropeBase == 10_000)
        #expect(configuration.maxPositions == 2048)
        #expect(!configuration.tiedEmbeddings)
    }

    @Test(
        arguments: [
            ["rope_parameters": ["rope_type": "default", "rope_theta": 5e5], "rope_theta": nil],
            ["rope_parameters": ["rope_type": "default", "rope_theta": 500_000]],
            ["rope_scaling": ["rope_type": "default"], "rope_theta": 500_000],
            ["rope_scaling": nil, "rope_theta": 5e5],
        ] as [[String: JSONValue?]])
    func ropeBase(changes: [String: JSONValue?]) throws {
        #expect(try configuration(changes).ropeBase == 500_000)
    }

    @Test(
        arguments: [
            ["pretraining_tp": 2], ["attention_bias": false, "mlp_bias": false], ["hidden_act": "swish"],
            ["quantization_config": .null, "auto_map": .null, "rope_scaling": .null],
            ["layer_types": ["full_attention", "full_attention"]], ["partial_rotary_factor": 1.0],
            [
                "architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": .null,
            ],
            ["architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 64],
        ] as [[String: JSONValue]])
    func settingsThatChangeNothing(changes: [String: JSONValue]) throws {
        #expect(try error(changes).error == nil)
    }

    static let refused: [(String, JSONValue)] = [
        ("hidden_act", "gelu"), ("hidden_act", "relu"), ("rope_scaling", "linear"),
        ("partial_rotary_factor", 0.5), ("pretraining_tp", 0), ("pretraining_tp", "x"),
        ("rope_interleaved", true), ("lm_head_bias", true), ("num_local_experts", 8),
        ("add_cross_attention", true), ("is_encoder_decoder", true),
        ("quantization_config", ["quant_method": "gptq"]),
        ("auto_map", ["AutoModelForCausalLM": "model.Model"]),
        ("layer_types", ["full_attention", "sliding_attention"]),
    ]

    @Test(arguments: refused)
    func settingsThatWouldGiveWrongText(key: String, value: JSONValue) throws {
        let (error, path) = try error([key: value])
        guard case .unsupportedSetting(path, key, let text, _)? = error else {
            Issue.record("\(key) gave \(String(describing: error))")
            return
        }
        #expect(text == value.serialized())
    }

    @Test func unknownArchitectures() throws {
        let (error, path) = try error(["architectures": ["GPT2LMHeadModel"]])
        #expect(
            error
                == .unsupportedArchitecture(
                    path: path, name: "GPT2LMHeadModel",
                    supported: [
                        "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM",
                        "GemmaForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM",
                        "Gemma3ForConditionalGeneration",
                        "Phi3ForCausalLM", "SmolLM3ForCausalLM", "Olmo2ForCausalLM", "Olmo3ForCausalLM",
                        "GraniteForCausalLM",
                    ]))
        #expect(error?.description.contains("LlamaForCausalLM") == true)
    }

    static let invalid: [(String, JSONValue?)] = [
        ("architectures", nil), ("architectures", []), ("architectures", [7]), ("model_type", "gpt2"),
        ("vocab_size", nil), ("vocab_size", "x"), ("vocab_size", 0), ("hidden_size", nil),
        ("hidden_size", 48.5),
        ("num_hidden_layers", nil), ("num_hidden_layers", -1), ("num_hidden_layers", 1_099_511_627_776),
        ("num_attention_heads", 0), ("num_key_value_heads", 2), ("head_dim", 15), ("intermediate_size", nil),
        ("rms_norm_eps", 0), ("rms_norm_eps", "x"), ("rope_theta", 0.5), ("tie_word_embeddings", "yes"),
        ("max_position_embeddings", 0),
    ]

    @Test(arguments: invalid)
    func membersThatCannotBe(key: String, value: JSONValue?) throws {
        let (error, path) = try error([key: value])
        guard case .invalidField(path, key, _)? = error else {
            Issue.record("\(key) gave \(String(describing: error))")
            return
        }
    }

    @Test func headsMustDivideTheWidth() throws {
        let (error, path) = try error(["head_dim": nil, "num_attention_heads": 5])
        guard case .invalidField(path, "num_attention_heads", _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
