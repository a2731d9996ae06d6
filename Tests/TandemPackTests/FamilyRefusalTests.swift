// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

/// What would give wrong text is refused with the file, the member and its value.
@Suite("Settings that no family can be packed with")
struct FamilyRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let family: String
        let changes: [String: JSONValue]
        /// The member that the error names.
        let member: String
        var testDescription: String { "\(family) \(member)" }

        init(_ family: String, _ changes: [String: JSONValue], _ member: String? = nil) {
            self.family = family
            self.changes = changes
            self.member = member ?? changes.keys.first ?? ""
        }
    }

    private func error(_ test: Case) throws -> (PackError?, String) {
        let folder = try TemporaryFolder()
        var config = try FamilyFixture.named(test.family).config
        for (key, value) in test.changes {
            let path = key.split(separator: ".").map(String.init)
            if path.count == 2, var inner = config[path[0]]?.objectValue {
                inner[path[1]] = value
                config[path[0]] = .object(inner)
            } else {
                config[key] = value
            }
        }
        try folder.write(.object(config), to: "config.json")
        do throws(PackError) {
            _ = try HuggingFaceConfiguration(path: folder["config.json"])
            return (nil, folder["config.json"])
        } catch {
            return (error, folder["config.json"])
        }
    }

    static let unsupported: [Case] = [
        Case("llama2-old", ["rope_scaling": ["type": "dynamic", "factor": 2.0]], "rope_scaling.type"),
        Case("llama2-old", ["rope_scaling": ["rope_type": "ntk"]], "rope_scaling.rope_type"),
        Case("llama2-old", ["rope_scaling": ["type": "mrope", "mrope_section": [8]]], "rope_scaling.type"),
        Case("llama2-old", ["rope_scaling": ["type": "linear", "factor": 2, "x": 1]], "rope_scaling.x"),
        Case("llama2-old", ["rope_scaling": ["rope_type": "default", "factor": 2]], "rope_scaling.factor"),
        Case("mistral-new", ["rope_parameters.llama_4_scaling_beta": 0.1]),
        Case("mistral-new", ["rope_parameters.partial_rotary_factor": 0.5]),
        Case("llama2-old", ["partial_rotary_factor": 0.5]),
        Case("phi3-old", ["rope_scaling": ["type": "linear", "factor": 2]], "rope_scaling.type"),
        Case("gemma3-new", ["rope_parameters": ["rope_type": "default", "rope_theta": 1e4]]),
        Case("gemma3-old", ["rope_scaling": ["type": "linear", "factor": 8.0]], "rope_scaling.type"),
        Case("olmo3-old", ["rope_scaling.truncate": false]),
        Case("gemma3-new", ["attn_logit_softcapping": 50.0]), Case("llama2-new", ["compression_config": [:]]),
        Case("gemma3-new", ["use_bidirectional_attention": true]),
        Case("gemma3-multimodal-new", ["text_config.use_bidirectional_attention": true]),
        Case("gemma3-multimodal-new", ["quantization_config": ["bits": 4]]),
        Case("gemma2-old", ["hidden_activation": "gelu"]), Case("qwen3-new", ["hidden_act": "gelu"]),
        Case("gemma2-new", ["sliding_window": nil], "layer_types"),
        Case("gemma2-old", ["sliding_window": nil]),
        Case(
            "qwen2-old",
            ["layer_types": ["sliding_attention", "full_attention", "full_attention", "full_attention"]]),
        Case(
            "qwen3-new",
            ["layer_types": ["chunked_attention", "full_attention", "full_attention", "full_attention"]]),
        Case(
            "mistral-window-new",
            ["layer_types": ["full_attention", "full_attention", "full_attention", "full_attention"]]),
        Case(
            "llama2-new",
            ["layer_types": ["full_attention", "sliding_attention", "full_attention", "full_attention"]]),
        Case("mistral-new", ["attention_bias": true]), Case("phi3-new", ["mlp_bias": true]),
        Case("phi4-mini-old", ["lm_head_bias": true]), Case("qwen2-new", ["mlp_bias": true]),
        Case("phi4-mini-old", ["auto_map": ["AutoModelForCausalLM": "modeling_other.Phi3ForCausalLM"]]),
        Case("qwen3-new", ["auto_map": ["AutoModelForCausalLM": "modeling_qwen3.Qwen3ForCausalLM"]]),
        Case("qwen3-new", ["num_experts": 64]), Case("mistral-new", ["num_local_experts": 8]),
    ]

    @Test(arguments: unsupported)
    func refused(test: Case) throws {
        let (error, path) = try error(test)
        guard case .unsupportedSetting(path, test.member, _, let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!reason.isEmpty)
    }

    static let invalid: [Case] = [
        Case("llama2-old", ["rope_scaling": ["type": "linear"]], "rope_scaling.factor"),
        Case("llama2-old", ["rope_scaling": ["type": "linear", "factor": 0]], "rope_scaling.factor"),
        Case("llama2-old", ["rope_scaling": ["type": "linear", "factor": "2"]], "rope_scaling.factor"),
        Case("llama2-old", ["rope_scaling": ["type": 3]], "rope_scaling.type"),
        Case("llama2-old", ["rope_theta": "big"]), Case("llama2-old", ["rope_theta": 0.5]),
        Case("llama2-new", ["rope_parameters.rope_theta": -1]),
        Case("llama3-old", ["rope_scaling.low_freq_factor": nil]),
        Case("llama3-old", ["rope_scaling.low_freq_factor": 4.0], "rope_scaling.high_freq_factor"),
        Case("llama3-old", ["rope_scaling.original_max_position_embeddings": 1.5]),
        Case(
            "llama3-old", ["rope_scaling.original_max_position_embeddings": 0],
            "original_max_position_embeddings"),
        Case("llama-yarn-old", ["rope_scaling": ["type": "yarn"]], "rope_scaling.factor"),
        Case("llama-yarn-old", ["rope_scaling.truncate": 1]),
        Case("phi4-mini-old", ["rope_scaling.short_factor": [1, 2]]),
        Case(
            "phi4-mini-old", ["rope_scaling.long_factor": [1, 1, 1, 1, 1, 0]], "rope_scaling.long_factor[5]"),
        Case("phi4-mini-old", ["partial_rotary_factor": 0.6]),
        Case("phi4-mini-old", ["partial_rotary_factor": 2]),
        Case("smollm3-old", ["no_rope_layers": [1, 0]]),
        Case("smollm3-old", ["no_rope_layers": [1, 0, "x", 1, 1, 1]], "no_rope_layers[2]"),
        Case("smollm3-old", ["no_rope_layers": nil, "no_rope_layer_interval": 0], "no_rope_layer_interval"),
        Case("gemma3-old", ["sliding_window_pattern": 0]), Case("gemma3-old", ["sliding_window": 0]),
        Case("gemma3-new", ["layer_types": ["full_attention"]]),
        Case("gemma3-new", ["rope_parameters.sliding_attention": "default"]),
        Case("gemma2-new", ["query_pre_attn_scalar": 0]), Case("gemma2-new", ["final_logit_softcapping": -1]),
        Case("granite-new", ["logits_scaling": 0]), Case("granite-new", ["residual_multiplier": "x"]),
        Case("gemma3-multimodal-new", ["text_config.hidden_size": 0]),
        Case("gemma3-multimodal-new", ["text_config": nil]),
        Case("gemma3-multimodal-new", ["model_type": "gemma2"]),
    ]

    @Test(arguments: invalid)
    func impossible(test: Case) throws {
        let (error, path) = try error(test)
        guard case .invalidField(path, test.member, let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!reason.isEmpty)
    }

    static let harmless: [Case] = [
        Case(
            "phi4-mini-old",
            ["auto_map": ["AutoModelForCausalLM": "owner/name--modeling_phi3.Phi3ForCausalLM"]]),
        Case("qwen3-new", ["auto_map": ["AutoTokenizer": ["tokenization.Tokenizer", nil]]]),
        Case("llama-yarn-old", ["rope_scaling.finetuned": true]),
        Case("llama2-old", ["rope_scaling": [:]]), Case("qwen3-new", ["num_experts": 0]),
        Case("smollm3-old", ["no_rope_layers": [1, 1, 0, 1, 1, 0, 1, 1]]),
        Case(
            "mistral-window-new",
            [
                "layer_types": [
                    "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention",
                ]
            ]),
    ]

    @Test(arguments: harmless)
    func accepted(test: Case) throws {
        #expect(try error(test).0 == nil)
    }
}
