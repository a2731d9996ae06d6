// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON
import Testing

/// A config.json and what transformers makes of it, from `Tests/Parity/families.json` (made by `make_families.py`).
struct FamilyFixture: Sendable, CustomTestStringConvertible {
    let name: String
    let config: JSONObject
    let expected: JSONObject
    /// Shapes of the checkpoint's tensors; empty where there is no checkpoint.
    let tensors: [String: [Int]]

    var testDescription: String { name }

    static let all: [FamilyFixture] = {
        let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Parity/families.json")
        guard let data = try? Data(contentsOf: url), let json = try? JSONValue(parsing: Array(data)) else {
            return []
        }
        return (json.arrayValue ?? []).compactMap { entry in
            guard let config = entry["config"]?.objectValue, let name = entry["name"]?.stringValue,
                let expected = entry["expected"]?.objectValue
            else { return nil }
            var tensors: [String: [Int]] = [:]
            for member in entry["tensors"]?.objectValue?.members ?? [] {
                tensors[member.key] = member.value.arrayValue?.compactMap(\.intValue)
            }
            return FamilyFixture(name: name, config: config, expected: expected, tensors: tensors)
        }
    }()

    static func named(_ name: String) throws -> FamilyFixture {
        try #require(all.first { $0.name == name })
    }

    func integer(_ key: String) throws -> Int { try #require(expected[key]?.intValue, "\(key)") }
    func bool(_ key: String) throws -> Bool {
        let value = expected[key]?.boolValue
        return try #require(value as Bool?, "\(key)")
    }
    func string(_ key: String) throws -> String { try #require(expected[key]?.stringValue, "\(key)") }
    func float(_ key: String) throws -> Float { Float(try #require(expected[key]?.doubleValue, "\(key)")) }

    /// nil for null.
    func optionalFloat(_ key: String) throws -> Float? {
        let value = try #require(expected[key], "\(key)")
        return value.isNull ? nil : try float(key)
    }

    func integers(_ key: String) throws -> [Int?] {
        try #require(expected[key]?.arrayValue, "\(key)").map(\.intValue)
    }

    /// A checkpoint with random weights of the fixture's names and shapes.
    func write(to folder: TemporaryFolder, _ name: String) throws -> [TestTensor] {
        var numbers = NumberSource(seed: 4)
        let all = tensors.sorted { $0.key < $1.key }.map { name, shape in
            TestTensor(
                name: name, type: "F32", shape: shape,
                values: (0..<shape.reduce(1, *)).map { _ in numbers.normal() * 0.1 })
        }
        try folder.makeFolder(name)
        try folder.write(.object(config), to: "\(name)/config.json")
        try folder.write(TestModel.tokenizer(size: 90), to: "\(name)/tokenizer.json")
        try folder.write(safetensors(all), to: "\(name)/model.safetensors")
        return all
    }
}
