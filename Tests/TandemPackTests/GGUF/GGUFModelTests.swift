// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("Models in GGUF files")
struct GGUFModelTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func configuration(_ model: GGUFTestModel) throws -> ModelConfiguration {
        try model.write(to: folder)
        try pack(folder["m.gguf"], to: folder["m.tandem"], options: PackOptions(overwrite: true))
        return try TandemFile(path: folder["m.tandem"]).manifest.primary
    }

    private func architecture(_ model: GGUFTestModel) throws -> ModelArchitecture {
        try configuration(model).architecture
    }

    private func error(_ model: GGUFTestModel) throws -> PackError? {
        try model.write(to: folder)
        let error = packError(
            folder["m.gguf"], to: folder["m.tandem"],
            options: try PackOptions(overwrite: true, threadCount: 2))
        if let error { #expect(!error.description.isEmpty) }
        return error
    }

    /// A whole llama model.
    private var plain: GGUFTestModel {
        var model = GGUFTestModel()
        model.addTensors()
        return model
    }

    private func changed(_ change: (inout GGUFTestModel) -> Void) -> GGUFTestModel {
        var model = plain
        change(&model)
        return model
    }

    // MARK: Weights

    /// Every tensor of the container has the same bytes as from the same model in Hugging Face layout.
    @Test(arguments: [WeightFormat.f32, .int8(.columns32)])
    func sameWeightsAsHuggingFace(format: WeightFormat) throws {
        let model = TestModel(TestModel.Shape(heads: 4, keyValueHeads: 2, headSize: 12), type: "F32")
        try model.write(to: folder, "hf")
        try GGUFTestModel(model, heads: 4, keyValueHeads: 2).write(to: folder)
        let options = try PackOptions(weights: format, threadCount: 1)
        try pack(folder["hf"], to: folder["hf.tandem"], options: options)
        try pack(folder["m.gguf"], to: folder["gguf.tandem"], options: options)
        let (first, second) = (
            try TandemFile(path: folder["hf.tandem"]), try TandemFile(path: folder["gguf.tandem"])
        )
        #expect(first.manifest.primary == second.manifest.primary)
        #expect(first.tensors.map(\.name) == second.tensors.map(\.name))
        for chunk in first.chunks.indices where !first.chunks[chunk].tensors.isEmpty {
            #expect(
                first.chunks[chunk].checksum == second.chunks[chunk].checksum, "\(first.chunks[chunk].name)")
        }
    }

    @Test func provenanceCountsTypes() throws {
        var model = plain
        model.file.add("general.name", "Small")
        _ = try configuration(model)
        let provenance = try TandemFile(path: folder["m.tandem"]).manifest.provenance
        #expect(provenance["source"] == "m.gguf")
        #expect(
            provenance["primary"]
                == ["name": "Small", "architecture": "gguf llama", "types": ["F32": 20]])
    }

    // MARK: Architectures

    @Test func llama() throws {
        #expect(
            try configuration(plain)
                == ModelConfiguration(
                    vocabularySize: 40, hiddenSize: 48, layerCount: 2, headCount: 3, keyValueHeadCount: 1,
                    headSize: 16, intermediateSize: 80, maxPositions: 64, normEpsilon: 1e-5, ropeBase: 10_000,
                    tiedEmbeddings: true))
        var model = GGUFTestModel()
        model.addTensors(
            biases: [
                "attn_q": 48, "attn_k": 16, "attn_v": 16, "attn_output": 48, "ffn_gate": 80, "ffn_up": 80,
                "ffn_down": 48,
            ], isTied: false)
        model.file.add("llama.rope.freq_base", Float(500_000))
        model.file.add("llama.attention.sliding_window", 24)
        let configuration = try configuration(model)
        #expect(configuration.ropeBase == 500_000)
        #expect(!configuration.tiedEmbeddings)
        #expect(configuration.architecture.attentionBias)
        #expect(configuration.architecture.outputBias)
        #expect(configuration.architecture.mlpBias)
        #expect(configuration.architecture.layerWindows == [24, 24])
    }

    @Test func ropeOfLlama() throws {
        func ropes(_ change: (inout GGUFTestModel) -> Void) throws -> (ModelArchitecture.Rope?, [Float]) {
            let rope = try architecture(changed(change)).ropes.first
            let file = try TandemFile(path: folder["m.tandem"])
            return (rope, rope == nil ? [] : try PackedMatrix.vector(file, "primary.ropes.0"))
        }
        let plain = (0..<8).map { Float(pow(10_000, -Double($0) / 8)) }
        func close(_ found: [Float], _ expected: [Float]) -> Bool {
            found.count == expected.count && zip(found, expected).allSatisfy { abs($0 / $1 - 1) < 1e-6 }
        }
        for (type, key) in [("linear", "rope.scaling.factor"), ("linear", "rope.scale_linear")] {
            let (rope, frequencies) = try ropes {
                $0.file.add("llama.rope.scaling.type", type)
                $0.file.add("llama.\(key)", Float(4))
            }
            #expect(rope == ModelArchitecture.Rope(rotarySize: 16))
            #expect(close(frequencies, plain.map { $0 / 4 }))
        }
        let factors = (0..<8).map { 1 + Float($0) }
        let (divided, divisions) = try ropes { $0.file.add("rope_freqs.weight", shape: [8], factors) }
        #expect(divided == ModelArchitecture.Rope(rotarySize: 16))
        #expect(close(divisions, zip(plain, factors).map { $0 / $1 }))
        let (none, _) = try ropes {
            $0.file.add("llama.rope.scaling.type", "none")
            $0.file.add("llama.rope.scaling.factor", Float(4))
        }
        #expect(none == nil)
        let (yarn, _) = try ropes {
            $0.file.add("llama.rope.scaling.type", "yarn")
            $0.file.add("llama.rope.scaling.factor", Float(4))
            $0.file.add("llama.rope.scaling.original_context_length", 16)
        }
        #expect(abs((yarn?.attentionFactor ?? 0) - Float(0.1 * log(4) + 1)) < 1e-6)
        let (long, short) = try ropes {
            $0.file.add("llama.rope.scaling.type", "longrope")
            $0.file.add("llama.rope.scaling.attn_factor", Float(1.25))
            $0.file.add("llama.rope.scaling.original_context_length", 16)
            $0.file.add("rope_factors_short.weight", shape: [8], factors)
            $0.file.add("rope_factors_long.weight", shape: [8], factors.map { $0 * 2 })
        }
        #expect(long == ModelArchitecture.Rope(rotarySize: 16, attentionFactor: 1.25, longAbove: 16))
        #expect(close(short, zip(plain, factors).map { $0 / $1 }))
        let stretched = try PackedMatrix.vector(TandemFile(path: folder["m.tandem"]), "primary.ropes.0.long")
        #expect(close(stretched, zip(plain, factors).map { $0 / $1 / 2 }))
    }

    @Test func qwen() throws {
        var model = GGUFTestModel("qwen2")
        model.addTensors(biases: ["attn_q": 48, "attn_k": 16, "attn_v": 16])
        #expect(try architecture(model).attentionBias)
        model = GGUFTestModel("qwen2")
        model.addTensors()
        guard case .missingTensors(_, let names)? = try error(model) else {
            Issue.record("biases are missing")
            return
        }
        #expect(names.contains("blk.1.attn_k.bias"))
        model = GGUFTestModel("qwen3")
        model.addTensors(norms: ["attn_norm": 48, "ffn_norm": 48, "attn_q_norm": 16, "attn_k_norm": 16])
        let qwen3 = try configuration(model)
        #expect(qwen3.family == "qwen3")
        #expect(qwen3.architecture.queryKeyNorm == .head)
    }

    private static let gemmaNorms = [
        "attn_norm": 48, "ffn_norm": 48, "post_attention_norm": 48, "post_ffw_norm": 48,
    ]

    @Test func gemma2() throws {
        var model = GGUFTestModel("gemma2", layers: 3)
        model.file.add("gemma2.attention.sliding_window", 20)
        model.file.add("gemma2.final_logit_softcapping", Float(25))
        model.addTensors(layers: 3, norms: GGUFModelTests.gemmaNorms)
        let found = try architecture(model)
        #expect(found.normPlacement == .prePost)
        #expect(found.activation == .geluTanh)
        #expect(found.layerWindows == [20, 0, 20])
        #expect(found.attentionSoftcap == 50)
        #expect(found.logitSoftcap == 25)
        #expect(found.embeddingScale == Float(48).squareRoot())
        #expect(found.attentionScale == nil)
    }

    /// The largest Gemma 2 scales attention by the width per head.
    @Test func gemma2OfFortySixLayers() throws {
        var model = GGUFTestModel("gemma2", layers: 46, heads: 3)
        model.file.add("gemma2.attention.key_length", 32)
        model.addTensors(layers: 46, queries: 96, keys: 32, norms: GGUFModelTests.gemmaNorms)
        let configuration = try configuration(model)
        #expect(configuration.headSize == 32)
        #expect(configuration.architecture.attentionScale == 0.25)
        #expect(configuration.architecture.layerWindows == [], "4096 positions cover everything")
    }

    @Test func gemma3() throws {
        var norms = GGUFModelTests.gemmaNorms
        norms["attn_q_norm"] = 16
        norms["attn_k_norm"] = 16
        var model = GGUFTestModel("gemma3", layers: 7)
        model.file.add("gemma3.attention.sliding_window", 20)
        model.file.add("gemma3.rope.freq_base", Float(1e6))
        model.addTensors(layers: 7, norms: norms)
        var found = try architecture(model)
        #expect(found.layerWindows == [20, 20, 20, 20, 20, 0, 20])
        #expect(found.layerRopes == [1, 1, 1, 1, 1, 0, 1])
        #expect(found.ropes.count == 2)
        #expect(found.queryKeyNorm == .head)
        #expect(found.logitSoftcap == nil)
        model.file.add(
            "gemma3.attention.sliding_window_pattern", [true, true, false, true, false, true, true])
        found = try architecture(model)
        #expect(found.layerWindows == [20, 20, 0, 20, 0, 20, 20])
        model.file.remove("gemma3.attention.sliding_window")
        model.file.remove("gemma3.attention.sliding_window_pattern")
        found = try architecture(model)
        #expect(found.layerWindows == [])
        #expect(found.ropes == [])
    }

    @Test func phi3() throws {
        var model = GGUFTestModel("phi3")
        model.addTensors(isFused: true)
        model.file.add("phi3.rope.dimension_count", 12)
        model.file.add("phi3.attention.sliding_window", 0)
        let found = try architecture(model)
        #expect(found.ropes == [ModelArchitecture.Rope(rotarySize: 12)])
        #expect(found.layerWindows == [])
        let file = try TandemFile(path: folder["m.tandem"])
        for (name, rows) in [("q", 48), ("k", 16), ("v", 16), ("gate", 80), ("up", 80)] {
            #expect(file.tensor(named: "primary.layers.1.\(name)")?.rows == rows)
        }
    }

    @Test func othersWithOneTrait() throws {
        var model = GGUFTestModel("smollm3", layers: 5)
        model.addTensors(layers: 5)
        #expect(try architecture(model).layerRopes == [0, 0, 0, nil, 0])
        model = GGUFTestModel("olmo2", layers: 4)
        model.addTensors(
            layers: 4,
            norms: ["attn_q_norm": 48, "attn_k_norm": 16, "post_attention_norm": 48, "post_ffw_norm": 48])
        #expect(try architecture(model).normPlacement == .post)
        model.file.add("olmo2.attention.sliding_window", 20)
        #expect(try architecture(model).layerWindows == [20, 20, 20, 0])
        model = GGUFTestModel("granite")
        model.addTensors()
        guard case .invalidField(_, "granite.attention.scale", _)? = try error(model) else {
            Issue.record("scales are missing")
            return
        }
        for (name, value) in [
            ("attention.scale", 0.125), ("embedding_scale", 12), ("residual_scale", 0.5), ("logit_scale", 8),
        ] as [(String, Float)] { model.file.add("granite.\(name)", value) }
        var found = try architecture(model)
        #expect(found.attentionScale == 0.125)
        #expect(found.embeddingScale == 12)
        #expect(found.residualScale == 0.5)
        #expect(found.logitScale == 0.125)
        model.file.add("granite.rope.scaling.finetuned", false)
        found = try architecture(model)
        #expect(found.layerRopes == [nil, nil])
    }

    // MARK: Refusals

    @Test func unknownArchitectures() throws {
        var model = GGUFTestModel("mamba")
        model.addTensors()
        guard case .unsupportedArchitecture(_, "mamba", let supported)? = try error(model) else {
            Issue.record("mamba was packed")
            return
        }
        #expect(supported.contains("gemma3"))
        model = plain
        model.file.add("general.type", "adapter")
        guard case .unsupportedSetting(_, "general.type", "\"adapter\"", _)? = try error(model) else {
            Issue.record("an adapter was packed")
            return
        }
    }

    @Test(arguments: [
        "general.architecture", "llama.context_length", "llama.embedding_length", "llama.block_count",
        "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
        "tokenizer.ggml.tokens",
    ])
    func missingKeys(key: String) throws {
        #expect(
            try error(changed { $0.file.remove(key) })
                == .invalidField(
                    path: folder["m.gguf"], field: key,
                    reason: key.hasPrefix("tokenizer") ? "is missing or empty" : "is missing"))
    }

    @Test(arguments: [
        ("llama.block_count", 0), ("llama.block_count", 1025), ("llama.embedding_length", 0),
        ("llama.attention.head_count", 0), ("llama.attention.head_count", 5), ("llama.context_length", 0),
        ("llama.attention.head_count_kv", 2), ("llama.feed_forward_length", 0),
    ])
    func impossibleSizes(key: String, value: Int) throws {
        let found = try error(
            changed {
                $0.file.remove(key)
                $0.file.add(key, value)
            })
        guard case .invalidField(folder["m.gguf"], key, _)? = found else {
            Issue.record("\(key) \(value): \(String(describing: found))")
            return
        }
    }

    @Test(arguments: [
        ("expert_count", 8), ("nextn_predict_layers", 1), ("attention.shared_kv_layers", 3),
        ("attention.value_length", 8), ("rope.dimension_count", 8),
    ])
    func settingsThatWouldGiveWrongText(name: String, value: Int) throws {
        let found = try error(
            changed {
                $0.file.add("llama.attention.key_length", 16)
                $0.file.add("llama.\(name)", value)
            })
        guard case .unsupportedSetting(_, "llama.\(name)", "\(value)", _)? = found else {
            Issue.record("\(name): \(String(describing: found))")
            return
        }
    }

    @Test func scalesAndCapsOfOtherArchitectures() throws {
        for name in ["logit_scale", "embedding_scale", "final_logit_softcapping", "attn_logit_softcapping"] {
            let found = try error(changed { $0.file.add("llama.\(name)", Float(2)) })
            guard case .unsupportedSetting(_, "llama.\(name)", "2.0", _)? = found else {
                Issue.record("\(name): \(String(describing: found))")
                continue
            }
        }
        let found = try error(changed { $0.file.add("llama.rope.scaling.type", "dynamic") })
        guard case .unsupportedSetting(_, "llama.rope.scaling.type", "\"dynamic\"", _)? = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        var model = GGUFTestModel("qwen3")
        model.file.add("qwen3.attention.sliding_window", 8)
        model.addTensors(norms: ["attn_norm": 48, "ffn_norm": 48, "attn_q_norm": 16, "attn_k_norm": 16])
        guard case .unsupportedSetting(_, "qwen3.attention.sliding_window", "8", _)? = try error(model) else {
            Issue.record("a window was ignored")
            return
        }
    }

    @Test func tensors() throws {
        let path = folder["m.gguf"]
        #expect(
            try error(changed { $0.file.tensors.removeAll { $0.name == "blk.1.ffn_up.weight" } })
                == .missingTensors(path: path, names: ["blk.1.ffn_up.weight"]))
        #expect(
            try error(changed { $0.file.add("blk.2.attn_q.weight", shape: [1], [0]) })
                == .unexpectedTensors(path: path, names: ["blk.2.attn_q.weight"]))
        #expect(
            try error(
                changed {
                    $0.file.tensors.removeAll { $0.name == "blk.0.attn_v.weight" }
                    $0.file.add("blk.0.attn_v.weight", shape: [8, 48], [Float](repeating: 0, count: 384))
                })
                == .wrongShape(
                    path: path, tensor: "blk.0.attn_v.weight", found: [8, 48], expected: [16, 48]))
    }

    @Test func typesThatCannotBePacked() throws {
        var model = GGUFTestModel(hidden: 256)
        model.addTensors(hidden: 256, queries: 256, keys: 85, norms: ["attn_norm": 256, "ffn_norm": 256])
        model.file.tensors.removeAll { $0.name == "token_embd.weight" }
        model.file.add(
            "token_embd.weight", type: 10, shape: [40, 256], [UInt8](repeating: 0, count: 40 * 84))
        model.file.remove("llama.attention.head_count")
        model.file.add("llama.attention.head_count", 1)
        let found = try error(model)
        #expect(
            found
                == .gguf(
                    path: folder["m.gguf"],
                    issue: .unsupportedTensorType(
                        tensor: "token_embd.weight", type: "Q2_K", supported: GGMLType.packable)))
        #expect(found?.description.contains("Q2_K") == true)
    }

    @Test func infiniteWeights() throws {
        let found = try error(
            changed { model in
                for index in model.file.tensors.indices
                where model.file.tensors[index].name == "blk.1.attn_output.weight" {
                    model.file.tensors[index].data.replaceSubrange(
                        (48 * 3 + 7) * 4..<(48 * 3 + 8) * 4, with: littleEndian(Float.infinity.bitPattern))
                }
            })
        #expect(
            found
                == .nonFiniteWeight(
                    path: folder["m.gguf"], tensor: "blk.1.attn_output.weight", row: 3, column: 7,
                    value: "inf"))
    }
}
