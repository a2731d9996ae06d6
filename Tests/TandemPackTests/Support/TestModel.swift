// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// A small random Llama checkpoint whose parts a test can change before it is written.
struct TestModel {
    var config: JSONObject
    var tensors: [TestTensor] = []
    var tokenizer: JSONValue

    struct Shape {
        var vocabulary = 40
        var hidden = 48
        var intermediate = 80
        var layers = 2
        var heads = 3
        var keyValueHeads = 1
        var headSize = 16
        var tied = false
    }

    init(_ shape: Shape = Shape(), type: String = "BF16", seed: UInt64 = 1) {
        config = [
            "architectures": ["LlamaForCausalLM"], "model_type": "llama",
            "vocab_size": .integer(Int64(shape.vocabulary)), "hidden_size": .integer(Int64(shape.hidden)),
            "intermediate_size": .integer(Int64(shape.intermediate)),
            "num_hidden_layers": .integer(Int64(shape.layers)),
            "num_attention_heads": .integer(Int64(shape.heads)),
            "num_key_value_heads": .integer(Int64(shape.keyValueHeads)),
            "head_dim": .integer(Int64(shape.headSize)), "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "max_position_embeddings": 64, "tie_word_embeddings": .bool(shape.tied),
            "hidden_act": "silu", "bos_token_id": 0, "eos_token_id": 0,
        ]
        tokenizer = TestModel.tokenizer(size: min(shape.vocabulary, 90))
        var numbers = NumberSource(seed: seed)
        func add(_ name: String, _ shape: [Int], scale: Float = 0.05) {
            let count = shape.reduce(1, *)
            let values = (0..<count).map { _ in TestTensor.representable(numbers.normal() * scale, type) }
            tensors.append(TestTensor(name: name, type: type, shape: shape, values: values))
        }
        add("model.embed_tokens.weight", [shape.vocabulary, shape.hidden])
        for layer in 0..<shape.layers {
            let prefix = "model.layers.\(layer)."
            let attention = shape.heads * shape.headSize
            let keys = shape.keyValueHeads * shape.headSize
            add(prefix + "input_layernorm.weight", [shape.hidden], scale: 1)
            add(prefix + "self_attn.q_proj.weight", [attention, shape.hidden])
            add(prefix + "self_attn.k_proj.weight", [keys, shape.hidden])
            add(prefix + "self_attn.v_proj.weight", [keys, shape.hidden])
            add(prefix + "self_attn.o_proj.weight", [shape.hidden, attention])
            add(prefix + "post_attention_layernorm.weight", [shape.hidden], scale: 1)
            add(prefix + "mlp.gate_proj.weight", [shape.intermediate, shape.hidden])
            add(prefix + "mlp.up_proj.weight", [shape.intermediate, shape.hidden])
            add(prefix + "mlp.down_proj.weight", [shape.hidden, shape.intermediate])
        }
        add("model.norm.weight", [shape.hidden], scale: 1)
        if !shape.tied { add("lm_head.weight", [shape.vocabulary, shape.hidden]) }
    }

    subscript(name: String) -> TestTensor? {
        get { tensors.first { $0.name == name } }
        set {
            tensors.removeAll { $0.name == name }
            if let newValue { tensors.append(newValue) }
        }
    }

    /// A byte-level BPE tokenizer without merges: an end token and single characters.
    static func tokenizer(size: Int, characters first: Int = 0x21) -> JSONValue {
        var vocabulary: JSONObject = ["<|endoftext|>": 0]
        for id in 1..<size {
            let scalar = Unicode.Scalar(UInt8(first + id - 1))
            vocabulary[String(Character(scalar))] = .integer(Int64(id))
        }
        return [
            "version": "1.0",
            "added_tokens": [
                [
                    "id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
                    "rstrip": false,
                    "normalized": false, "special": true,
                ]
            ],
            "normalizer": nil,
            "pre_tokenizer": [
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
            ],
            "post_processor": nil,
            "decoder": ["type": "ByteLevel"],
            "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": []],
        ]
    }

    /// Writes config.json, tokenizer.json and model.safetensors.
    func write(to folder: TemporaryFolder, _ name: String, withTokenizer: Bool = true) throws {
        try folder.makeFolder(name)
        try folder.write(.object(config), to: "\(name)/config.json")
        if withTokenizer { try folder.write(tokenizer, to: "\(name)/tokenizer.json") }
        try folder.write(safetensors(tensors), to: "\(name)/model.safetensors")
    }
}

/// A tandem checkpoint of two ``TestModel``s.
struct TestTandem {
    var primary = TestModel(seed: 1)
    var secondary = TestModel(
        TestModel.Shape(hidden: 32, intermediate: 64, heads: 2, headSize: 16, tied: true), seed: 2)
    var projections: [TestTensor]
    var json: JSONObject = [
        "format": "tandem-checkpoint", "version": 1, "kind": "tandem", "primary": "primary",
        "secondary": "secondary", "layer_map": [0, 2], "gamma": 3, "projections": "tandem.safetensors",
        "tokenizer": "tokenizer.json", "provenance": ["trainer": "test"],
    ]

    init() {
        var numbers = NumberSource(seed: 9)
        projections = (0..<2).map { index in
            TestTensor(
                name: "tandem.projections.\(index).weight", type: "F32", shape: [32, 48],
                values: (0..<32 * 48).map { _ in numbers.normal() })
        }
    }

    func write(to folder: TemporaryFolder, _ name: String) throws {
        try primary.write(to: folder, "\(name)/primary", withTokenizer: false)
        try secondary.write(to: folder, "\(name)/secondary", withTokenizer: false)
        try folder.write(primary.tokenizer, to: "\(name)/tokenizer.json")
        try folder.write(safetensors(projections), to: "\(name)/tandem.safetensors")
        try folder.write(.object(json), to: "\(name)/tandem.json")
    }
}
