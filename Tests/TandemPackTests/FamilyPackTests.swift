// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("Checkpoints of every family, packed")
struct FamilyPackTests {
    static let fixtures = FamilyFixture.all.filter { !$0.tensors.isEmpty }

    /// Where a tensor of the container comes from, derived from the checkpoint's names alone.
    private struct Origin {
        let name: String
        var rows: Range<Int>?
    }

    private func origin(_ tensor: String, of fixture: FamilyFixture) throws -> Origin {
        let embed = try #require(fixture.tensors.keys.first { $0.hasSuffix("embed_tokens.weight") })
        let body = String(embed.dropLast("embed_tokens.weight".count))
        let parts = tensor.split(separator: ".").map(String.init)
        switch parts[1] {
        case "embed": return Origin(name: embed)
        case "norm": return Origin(name: body + "norm.weight")
        case "head": return Origin(name: "lm_head.weight")
        default: break
        }
        let layer = "\(body)layers.\(parts[2])."
        func sized(_ key: String) throws -> Int { try fixture.integer(key) * fixture.integer("head_size") }
        let (queries, keys) = (try sized("head_count"), try sized("key_value_head_count"))
        let width = try fixture.integer("intermediate_size")
        if fixture.tensors["\(layer)self_attn.qkv_proj.weight"] != nil {
            let fused = "\(layer)self_attn.qkv_proj.weight"
            switch parts[3] {
            case "q": return Origin(name: fused, rows: 0..<queries)
            case "k": return Origin(name: fused, rows: queries..<queries + keys)
            case "v": return Origin(name: fused, rows: queries + keys..<queries + 2 * keys)
            case "gate": return Origin(name: "\(layer)mlp.gate_up_proj.weight", rows: 0..<width)
            case "up": return Origin(name: "\(layer)mlp.gate_up_proj.weight", rows: width..<2 * width)
            default: break
            }
        }
        let around = fixture.tensors["\(layer)pre_feedforward_layernorm.weight"] != nil
        let names = [
            "attn_norm": "input_layernorm", "attn_post_norm": "post_attention_layernorm",
            "mlp_norm": around ? "pre_feedforward_layernorm" : "post_attention_layernorm",
            "mlp_post_norm": "post_feedforward_layernorm", "q_norm": "self_attn.q_norm",
            "k_norm": "self_attn.k_norm",
        ]
        if let name = names[parts[3]] { return Origin(name: "\(layer)\(name).weight") }
        let matrix = String(parts[3].split(separator: "_")[0])
        let group = ["q", "k", "v", "o"].contains(matrix) ? "self_attn" : "mlp"
        return Origin(
            name: "\(layer)\(group).\(matrix)_proj.\(parts[3].hasSuffix("_bias") ? "bias" : "weight")")
    }

    @Test(arguments: fixtures)
    func weightsAreInTheirPlaces(fixture: FamilyFixture) throws {
        let folder = try TemporaryFolder()
        let stored = try fixture.write(to: folder, "m")
        try pack(folder["m"], to: folder["m.tandem"], options: PackOptions(weights: .f32, threadCount: 2))
        let file = try TandemFile(path: folder["m.tandem"])
        let isGemma = fixture.name.hasPrefix("gemma")
        var used: Set<String> = []
        for tensor in file.tensors where !tensor.name.contains(".ropes.") {
            let origin = try origin(tensor.name, of: fixture)
            let source = try #require(stored.first { $0.name == origin.name }, "\(tensor.name)")
            used.insert(origin.name)
            let columns = source.shape.count == 1 ? 1 : source.shape[1]
            let rows = origin.rows ?? 0..<source.shape[0]
            var expected = Array(source.values[rows.lowerBound * columns..<rows.upperBound * columns])
            if isGemma, tensor.name.hasSuffix("norm") { expected = expected.map { $0 + 1 } }
            if tensor.encoding == .f32 {
                #expect(try PackedMatrix.vector(file, tensor.name) == expected, "\(tensor.name)")
            } else {
                #expect(
                    try PackedMatrix(file, tensor.name).rows().flatMap { $0 } == expected, "\(tensor.name)")
            }
        }
        let left = Set(fixture.tensors.keys).subtracting(used)
        #expect(left.allSatisfy { $0.hasPrefix("vision_tower.") || $0.hasPrefix("multi_modal_projector.") })
    }

    @Test(arguments: fixtures)
    func theFileSaysWhatItNeeds(fixture: FamilyFixture) throws {
        let folder = try TemporaryFolder()
        _ = try fixture.write(to: folder, "m")
        try pack(folder["m"], to: folder["m.tandem"], options: PackOptions(threadCount: 2))
        let file = try TandemFile(path: folder["m.tandem"])
        let configuration = try HuggingFaceConfiguration(path: folder["m/config.json"])
        #expect(file.manifest.primary == configuration.configuration)
        let isPlain = configuration.configuration.architecture == ModelArchitecture()
        #expect(file.requiredFeatures == (isPlain ? [] : .architecture))
        #expect(file.minorVersion == (isPlain ? 0 : 1))
        for (index, rope) in configuration.ropes.enumerated() {
            #expect(try PackedMatrix.vector(file, "primary.ropes.\(index)") == rope.frequencies)
            if let long = rope.long {
                #expect(try PackedMatrix.vector(file, "primary.ropes.\(index).long") == long.frequencies)
            }
        }
        #expect(file.tensors.map(\.name) == file.manifest.requiredTensors().map(\.name))
    }

    /// The prefixes under which older and newer versions of transformers store the language model of Gemma 3.
    @Test(arguments: [("model.language_model.", "model."), ("language_model.model.", "")])
    func prefixes(body: String, other: String) throws {
        let fixture = try FamilyFixture.named("gemma3-multimodal-new")
        var tensors: [String: [Int]] = [:]
        for (name, shape) in fixture.tensors {
            let isText = name.hasPrefix("language_model.model.")
            tensors[isText ? body + name.dropFirst("language_model.model.".count) : other + name] = shape
        }
        let moved = FamilyFixture(
            name: fixture.name, config: fixture.config, expected: fixture.expected, tensors: tensors)
        let folder = try TemporaryFolder()
        _ = try moved.write(to: folder, "m")
        #expect(packError(folder["m"], to: folder["x"]) == nil)
    }

    @Test func fusedTensorsAreChecked() throws {
        let fixture = try FamilyFixture.named("phi3-new")
        var tensors = fixture.tensors
        let name = "model.layers.1.self_attn.qkv_proj.weight"
        tensors[name] = [143, 48]
        let folder = try TemporaryFolder()
        _ = try FamilyFixture(
            name: "", config: fixture.config, expected: fixture.expected, tensors: tensors
        ).write(to: folder, "m")
        #expect(
            packError(folder["m"], to: folder["x"])
                == .wrongShape(
                    path: folder["m/model.safetensors"], tensor: name, found: [143, 48], expected: [144, 48]))
    }

    /// Any two families make a tandem.
    @Test func tandems() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("t")
        _ = try FamilyFixture.named("gemma2-old").write(to: folder, "t/primary")
        _ = try FamilyFixture.named("olmo2-new").write(to: folder, "t/secondary")
        try folder.write(TestModel.tokenizer(size: 90), to: "t/tokenizer.json")
        var numbers = NumberSource(seed: 3)
        let projections = (0..<4).map { index in
            TestTensor(
                name: "tandem.projections.\(index).weight", type: "F32", shape: [48, 56],
                values: (0..<48 * 56).map { _ in numbers.normal() })
        }
        try folder.write(safetensors(projections), to: "t/tandem.safetensors")
        try folder.write(
            [
                "format": "tandem-checkpoint", "version": 1, "kind": "tandem", "layer_map": [0, 1, 3, 4],
                "gamma": 4,
            ], to: "t/tandem.json")
        try pack(folder["t"], to: folder["t.tandem"], options: PackOptions(weights: .f32, threadCount: 2))
        let file = try TandemFile(path: folder["t.tandem"])
        #expect(file.manifest.tandem?.layerMap == [0, 1, 3, 4])
        #expect(file.manifest.secondary?.architecture.normPlacement == .post)
        #expect(file.manifest.primary.architecture.normPlacement == .prePost)
        for projection in projections {
            let name = String(projection.name.dropLast(".weight".count))
            #expect(try PackedMatrix(file, name).rows().flatMap { $0 } == projection.values)
        }
    }

    /// Any two families make a pair; the file says that the drafts are limited to the smaller vocabulary.
    @Test(arguments: [
        ("gemma3-old", "qwen3-new"), ("olmo2-new", "phi4-mini-old"), ("granite-new", "gemma2-new"),
    ])
    func pairs(primary: String, secondary: String) throws {
        let folder = try TemporaryFolder()
        _ = try FamilyFixture.named(primary).write(to: folder, "large")
        _ = try FamilyFixture.named(secondary).write(to: folder, "small")
        try pack(folder["large"], secondary: folder["small"], to: folder["pair"])
        let manifest = try TandemFile(path: folder["pair"]).manifest
        #expect(manifest.kind == .pair)
        let names = [manifest.primary.family, try #require(manifest.secondary).family]
        let families = [primary, secondary].map { name -> String in
            name == "phi4-mini-old" ? "phi3" : String(name.prefix { $0 != "-" })
        }
        #expect(names == families)
    }
}
