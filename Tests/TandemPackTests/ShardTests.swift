// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON
import TandemPack
import Testing

@Suite("Sharded checkpoints")
struct ShardTests {
    let folder: TemporaryFolder
    let model = TestModel()

    private var index: String { folder["m/model.safetensors.index.json"] }

    /// Two shards with alternating tensors, listed correctly.
    init() throws {
        folder = try TemporaryFolder()
        try model.write(to: folder, "m")
        try folder.remove("m/model.safetensors")
        try folder.write(safetensors(shard(0)), to: "m/a.safetensors")
        try folder.write(safetensors(shard(1)), to: "m/b.safetensors")
        try writeIndex { $0 }
    }

    private func shard(_ remainder: Int) -> [TestTensor] {
        model.tensors.enumerated().filter { $0.offset % 2 == remainder }.map(\.element)
    }

    private func writeIndex(_ change: (JSONObject) -> JSONObject) throws {
        var map = JSONObject()
        for tensor in shard(0) { map[tensor.name] = "a.safetensors" }
        for tensor in shard(1) { map[tensor.name] = "b.safetensors" }
        try folder.write(
            ["metadata": ["total_size": 1], "weight_map": .object(change(map))],
            to: "m/model.safetensors.index.json")
    }

    @Test func sameBytesAsOneFile() throws {
        try pack(folder["m"], to: folder["sharded.tandem"])
        try model.write(to: folder, "m")
        try pack(folder["m"], to: folder["single.tandem"])
        #expect(try folder.read("sharded.tandem") == folder.read("single.tandem"))
    }

    @Test func missingShard() throws {
        try folder.remove("m/b.safetensors")
        #expect(
            packError(folder["m"], to: folder["x"]) == .missingShard(index: index, shard: "b.safetensors"))
    }

    @Test func tensorInTheWrongShard() throws {
        let name = model.tensors[0].name
        try writeIndex { map in
            var map = map
            map[name] = "b.safetensors"
            return map
        }
        #expect(
            packError(folder["m"], to: folder["x"])
                == .misplacedTensor(
                    index: index, tensor: name, listed: "b.safetensors", found: "a.safetensors"))
    }

    @Test func tensorInNoShard() throws {
        try writeIndex { map in
            var map = map
            map["extra"] = "b.safetensors"
            return map
        }
        #expect(
            packError(folder["m"], to: folder["x"])
                == .misplacedTensor(index: index, tensor: "extra", listed: "b.safetensors", found: nil))
    }

    @Test(arguments: ["../m/a.safetensors", "/etc/passwd", "", "x//y", "a/../../b"])
    func shardNamesStayInside(name: String) throws {
        try writeIndex { map in
            var map = map
            map[model.tensors[0].name] = .string(name)
            return map
        }
        #expect(
            packError(folder["m"], to: folder["x"])
                == .unsafePath(path: index, field: "weight_map", value: name))
    }

    @Test func malformedIndexes() throws {
        try folder.write(Array("{".utf8), to: "m/model.safetensors.index.json")
        guard
            case .json(folder["m/model.safetensors.index.json"], _)? = packError(folder["m"], to: folder["x"])
        else {
            Issue.record("no JSON error")
            return
        }
        try folder.write(["weight_map": 7], to: "m/model.safetensors.index.json")
        #expect(
            packError(folder["m"], to: folder["x"])
                == .invalidField(path: index, field: "weight_map", reason: "is missing or not an object"))
    }

    @Test func noWeightsAtAll() throws {
        try folder.remove("m/model.safetensors.index.json")
        try folder.write([1, 2, 3], to: "m/pytorch_model.bin")
        guard case .noWeights(folder["m"], let reason)? = packError(folder["m"], to: folder["x"]) else {
            Issue.record("no error")
            return
        }
        #expect(reason.contains("pytorch_model.bin"))
    }
}
