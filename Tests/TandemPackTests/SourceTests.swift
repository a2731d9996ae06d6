// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("Sources of a pack")
struct SourceTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func tandemError(_ change: (inout TestTandem) -> Void) throws -> PackError? {
        var tandem = TestTandem()
        change(&tandem)
        try? folder.remove("t")
        try tandem.write(to: folder, "t")
        return packError(folder["t"], to: folder["t.tandem"])
    }

    @Test func aTandem() throws {
        try TestTandem().write(to: folder, "t")
        try pack(folder["t"], to: folder["t.tandem"])
        let manifest = try TandemFile(path: folder["t.tandem"]).manifest
        #expect(try manifest.tandem == TandemConfiguration(layerMap: [0, 2], blockLength: 3))
        #expect(manifest.secondary?.hiddenSize == 32)
    }

    @Test func anotherSecondaryMakesAPair() throws {
        try TestTandem().write(to: folder, "t")
        try TestTandem().secondary.write(to: folder, "t/distilled", withTokenizer: false)
        try pack(folder["t"], secondary: folder["t/distilled"], to: folder["x.tandem"])
        let file = try TandemFile(path: folder["x.tandem"])
        #expect(file.manifest.kind == .pair)
        #expect(file.tensor(named: "tandem.projections.0") == nil)
    }

    @Test func partsOfATandemStandAlone() throws {
        try TestTandem().write(to: folder, "t")
        try pack(folder["t/primary"], to: folder["x.tandem"])
        let file = try TandemFile(path: folder["x.tandem"])
        #expect(file.manifest.kind == .single)
        #expect(file.manifest.tokenizer?.eos == [0])
    }

    @Test func twoModelsMakeAPair() throws {
        try TestModel().write(to: folder, "big")
        try TestTandem().secondary.write(to: folder, "small")
        try pack(folder["big"], secondary: folder["small"], to: folder["x.tandem"])
        #expect(try TandemFile(path: folder["x.tandem"]).manifest.kind == .pair)
    }

    @Test func aPairCheckpoint() throws {
        #expect(try tandemError { $0.json["kind"] = "pair" } == nil)
        #expect(try TandemFile(path: folder["t.tandem"]).manifest.kind == .pair)
    }

    @Test func notACheckpoint() throws {
        try folder.write([1], to: "file")
        try folder.makeFolder("empty")
        #expect(
            packError(folder["no"], to: folder["x"])
                == .fileSystem(operation: "open", path: folder["no"], code: ENOENT))
        #expect(packError(folder["file"], to: folder["x"]) == .notADirectory(path: folder["file"]))
        guard case .notACheckpoint(folder["empty"], _)? = packError(folder["empty"], to: folder["x"]) else {
            Issue.record("no error")
            return
        }
        try TestModel().write(to: folder, "m")
        #expect(
            packError(folder["m"], secondary: folder["no"], to: folder["x"])
                == .fileSystem(operation: "open", path: folder["no"], code: ENOENT))
    }

    static let badMembers: [(String, JSONValue?)] = [
        ("format", "other"), ("format", nil), ("version", 2), ("kind", "single"), ("layer_map", nil),
        ("layer_map", [0]), ("gamma", 0), ("gamma", 65), ("gamma", "x"), ("primary", 7), ("provenance", 7),
    ]

    @Test(arguments: badMembers)
    func invalidTandemJSON(key: String, value: JSONValue?) throws {
        let path = folder["t/tandem.json"]
        guard case .invalidField(path, key, _)? = try tandemError({ $0.json[key] = value }) else {
            Issue.record("\(key)")
            return
        }
    }

    @Test func layerMapsStayInsideThePrimary() throws {
        for tap in [-1, 3] {
            let error = try tandemError { $0.json["layer_map"] = [0, .integer(Int64(tap))] }
            guard case .invalidField(_, "layer_map[1]", _)? = error else {
                Issue.record("\(tap) gave \(String(describing: error))")
                return
            }
        }
    }

    @Test(arguments: ["primary", "secondary", "tokenizer", "projections"])
    func namesStayInside(key: String) throws {
        #expect(
            try tandemError { $0.json[key] = .string("../t/\(key)") }
                == .unsafePath(path: folder["t/tandem.json"], field: key, value: "../t/\(key)"))
    }

    @Test func projectionsMustFit() throws {
        let path = folder["t/tandem.safetensors"]
        let name = "tandem.projections.1.weight"
        #expect(
            try tandemError { $0.projections.removeLast() } == .missingTensors(path: path, names: [name]))
        #expect(
            try tandemError { $0.projections[1].shape = [48, 32] }
                == .wrongShape(path: path, tensor: name, found: [48, 32], expected: [32, 48]))
        #expect(
            try tandemError { $0.projections[1].type = "I8" }
                == .unsupportedElementType(path: path, tensor: name, type: "I8"))
        #expect(
            try tandemError {
                $0.projections.append($0.projections[0])
                $0.projections[2].name = "router"
            } == .unexpectedTensors(path: path, names: ["router"]))
    }
}
