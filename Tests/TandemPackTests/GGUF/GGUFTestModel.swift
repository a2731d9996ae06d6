// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// A small GGUF model whose metadata and tensors a test can change before it is written.
struct GGUFTestModel {
    var file = GGUFBuilder()

    /// The metadata and tokenizer of an architecture without its tensors.
    init(
        _ architecture: String = "llama", vocabulary: Int = 40, hidden: Int = 48, layers: Int = 2,
        heads: Int = 3
    ) {
        file.add("general.architecture", architecture)
        file.add("\(architecture).context_length", 64)
        file.add("\(architecture).embedding_length", hidden)
        file.add("\(architecture).block_count", layers)
        file.add("\(architecture).feed_forward_length", 80)
        file.add("\(architecture).attention.head_count", heads)
        file.add("\(architecture).attention.head_count_kv", 1)
        file.add("\(architecture).attention.layer_norm_rms_epsilon", Float(1e-5))
        addTokenizer(size: vocabulary)
    }

    /// The same model as ``TestModel``, in llama's order of queries and keys.
    init(_ model: TestModel, heads: Int = 3, keyValueHeads: Int = 1, layers: Int = 2) {
        self.init(layers: layers, heads: heads)
        file.remove("llama.attention.head_count_kv")
        file.add("llama.attention.head_count_kv", keyValueHeads)
        for tensor in model.tensors {
            var values = tensor.values
            if tensor.name.contains("q_proj") { values = GGUFTestModel.interleaved(tensor, heads: heads) }
            if tensor.name.contains("k_proj") {
                values = GGUFTestModel.interleaved(tensor, heads: keyValueHeads)
            }
            file.add(GGUFTestModel.name(tensor.name), shape: tensor.shape, values)
        }
    }

    /// All tensors, as zeros and (norms) ones; the names of an architecture's own norms included.
    mutating func addTensors(
        vocabulary: Int = 40, hidden: Int = 48, layers: Int = 2, queries: Int = 48, keys: Int = 16,
        norms: [String: Int] = ["attn_norm": 48, "ffn_norm": 48], biases: [String: Int] = [:],
        isFused: Bool = false, isTied: Bool = true
    ) {
        func zeros(_ name: String, _ shape: [Int], _ value: Float = 0) {
            file.add(name, shape: shape, Array(repeating: value, count: shape.reduce(1, *)))
        }
        zeros("token_embd.weight", [vocabulary, hidden])
        zeros("output_norm.weight", [hidden], 1)
        if !isTied { zeros("output.weight", [vocabulary, hidden]) }
        for layer in 0..<layers {
            let prefix = "blk.\(layer)."
            for (name, size) in norms.sorted(by: { $0.key < $1.key }) {
                zeros(prefix + name + ".weight", [size], 1)
            }
            for (name, size) in biases.sorted(by: { $0.key < $1.key }) {
                zeros(prefix + name + ".bias", [size])
            }
            if isFused {
                zeros(prefix + "attn_qkv.weight", [queries + 2 * keys, hidden])
                zeros(prefix + "ffn_up.weight", [160, hidden])
            } else {
                zeros(prefix + "attn_q.weight", [queries, hidden])
                zeros(prefix + "attn_k.weight", [keys, hidden])
                zeros(prefix + "attn_v.weight", [keys, hidden])
                zeros(prefix + "ffn_gate.weight", [80, hidden])
                zeros(prefix + "ffn_up.weight", [80, hidden])
            }
            zeros(prefix + "attn_output.weight", [hidden, queries])
            zeros(prefix + "ffn_down.weight", [hidden, 80])
        }
    }

    /// A byte-level vocabulary of an end token and single characters, as in ``TestModel``.
    private mutating func addTokenizer(size: Int) {
        let characters = (1..<size).map { String(Character(Unicode.Scalar(UInt8(0x20 + $0)))) }
        file.add("tokenizer.ggml.model", "gpt2")
        file.add("tokenizer.ggml.pre", "gpt-2")
        file.add("tokenizer.ggml.tokens", ["<|endoftext|>"] + characters)
        file.add("tokenizer.ggml.token_type", [3] + [Int32](repeating: 1, count: size - 1))
        file.add("tokenizer.ggml.merges", [String]())
        file.add("tokenizer.ggml.bos_token_id", 0)
        file.add("tokenizer.ggml.eos_token_id", 0)
    }

    private static func interleaved(_ tensor: TestTensor, heads: Int) -> [Float] {
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        let size = rows / heads
        return (0..<rows).flatMap { row -> ArraySlice<Float> in
            let (head, index) = row.quotientAndRemainder(dividingBy: size)
            let source = head * size + index % 2 * size / 2 + index / 2
            return tensor.values[source * columns..<(source + 1) * columns]
        }
    }

    private static func name(_ name: String) -> String {
        let fixed = [
            "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
            "lm_head.weight": "output.weight",
        ]
        if let fixed = fixed[name] { return fixed }
        let parts = name.split(separator: ".").map(String.init)
        let part = [
            "input_layernorm": "attn_norm", "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v",
            "o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "gate_proj": "ffn_gate",
            "up_proj": "ffn_up", "down_proj": "ffn_down",
        ]
        return "blk.\(parts[2]).\(part[parts[parts.count - 2]] ?? "").weight"
    }

    func write(to folder: TemporaryFolder, _ name: String = "m.gguf") throws {
        try folder.write(file.bytes, to: name)
    }
}
