// SPDX-License-Identifier: Apache-2.0

import TandemPack
import Testing

@Suite("Weights against the configuration")
struct TensorCheckTests {
    private let name = "model.layers.1.mlp.up_proj.weight"

    private func error(
        shape: TestModel.Shape = TestModel.Shape(), _ change: (inout TestModel) -> Void
    ) throws -> (error: PackError?, path: String) {
        let folder = try TemporaryFolder()
        var model = TestModel(shape)
        change(&model)
        try model.write(to: folder, "m")
        let error = packError(folder["m"], to: folder["m.tandem"])
        if error != nil { #expect(try folder.names() == ["m"]) }
        return (error, folder["m/model.safetensors"])
    }

    @Test func missingTensors() throws {
        let (error, path) = try error { $0[name] = nil }
        #expect(error == .missingTensors(path: path, names: [name]))
    }

    @Test func unexpectedTensors() throws {
        let bias = TestTensor(
            name: "model.layers.0.self_attn.q_proj.bias", type: "BF16", shape: [48],
            values: [Float](repeating: 0, count: 48))
        let (error, path) = try error { $0.tensors.append(bias) }
        #expect(error == .unexpectedTensors(path: path, names: [bias.name]))
    }

    @Test func rotaryBuffersAreIgnored() throws {
        let buffer = TestTensor(
            name: "model.layers.0.self_attn.rotary_emb.inv_freq", type: "F32", shape: [8],
            values: [Float](repeating: 0, count: 8))
        #expect(try error { $0.tensors.append(buffer) }.error == nil)
    }

    @Test(arguments: [[48, 80], [3840], [80, 48, 1]])
    func wrongShapes(shape: [Int]) throws {
        let (error, path) = try error { $0[name]?.shape = shape }
        #expect(error == .wrongShape(path: path, tensor: name, found: shape, expected: [80, 48]))
    }

    @Test func vectorsAreNotMatrices() throws {
        let (error, path) = try error { $0["model.norm.weight"]?.shape = [1, 48] }
        #expect(
            error == .wrongShape(path: path, tensor: "model.norm.weight", found: [1, 48], expected: [48]))
    }

    @Test(arguments: ["F64", "I64", "F8_E4M3", "I8"])
    func elementTypes(type: String) throws {
        let (error, path) = try error { $0[name]?.type = type }
        #expect(error == .unsupportedElementType(path: path, tensor: name, type: type))
    }

    @Test func untiedModelsNeedTheirHead() throws {
        let (error, path) = try error { $0["lm_head.weight"] = nil }
        #expect(error == .missingTensors(path: path, names: ["lm_head.weight"]))
    }

    @Test func tiedModelsMayRepeatTheirEmbeddings() throws {
        let shape = TestModel.Shape(tied: true)
        func head(_ model: TestModel) -> TestTensor? {
            guard var head = model["model.embed_tokens.weight"] else { return nil }
            head.name = "lm_head.weight"
            return head
        }
        #expect(try error(shape: shape) { _ in }.error == nil)
        #expect(try error(shape: shape) { $0["lm_head.weight"] = head($0) }.error == nil)
        let (error, path) = try error(shape: shape) {
            $0["lm_head.weight"] = head($0)
            $0["lm_head.weight"]?.values[5] = 1
        }
        #expect(error == .tiedHeadDiffers(path: path, tensor: "lm_head.weight"))
    }
}
