// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON
import Testing

@Suite struct HostileInputTests {
    private static let sample = """
        {"model": {"type": "BPE", "vocab": {"a": 0, "\\u0120the": 1, "é😀": 2}, "merges": [["a", "b"], "c d"]},
         "numbers": [0, -1, 2.5e-3, 1E10, -0.0, 123456789012345678901], "flags": [true, false, null],
         "text": "tab\\t quote\\" slash\\/ pair\\ud83d\\ude00"}
        """

    @Test func everyTruncationIsRefused() {
        let bytes = Array(Self.sample.utf8)
        for length in bytes.indices {
            do {
                _ = try JSONValue(parsing: Array(bytes[..<length]))
                Issue.record("\(length) bytes of \(bytes.count) are taken for a whole text")
            } catch {
                #expect(error.offset <= length)
            }
        }
    }

    @Test func mutationsNeverTrapAndWhatParsesSurvivesARoundTrip() throws {
        var random = SplitMix(seed: 99)
        let bytes = Array(Self.sample.utf8)
        var accepted = 0
        for _ in 0..<20_000 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: mutated.indices, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: mutated[position] = .random(in: 0...255, using: &random)
                case 1: mutated.remove(at: position)
                case 2:
                    let byte = Array("{}[],:\"\\0e-u".utf8).randomElement(using: &random)
                    mutated.insert(byte ?? 0, at: position)
                default: mutated[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                }
            }
            do {
                let value = try JSONValue(parsing: mutated)
                accepted += 1
                #expect(try JSONValue(parsing: value.serializedBytes()) == value)
            } catch {
                #expect((0...mutated.count).contains(error.offset))
                #expect(!error.description.isEmpty)
            }
        }
        #expect(accepted > 0 && accepted < 20_000)
    }

    @Test func collidingLookingKeysStayFast() throws {
        var text = "{"
        for index in 0..<50_000 {
            text += (index == 0 ? "" : ",") + "\"\(String(repeating: "a", count: index % 64))\(index)\":0"
        }
        #expect(try JSONValue(parsing: Array((text + "}").utf8)).objectValue?.count == 50_000)
    }

    /// A file of the third-party collection whose header nests deeply; absent in a plain clone.
    private static let nestedFile = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/data/checkpoints/safetensors/deeply_nested_json.safetensors")

    @Test(.enabled(if: FileManager.default.fileExists(atPath: nestedFile.path), "needs ../shared/data"))
    func refusesTheNestedSafetensorsHeader() throws {
        let bytes = [UInt8](try Data(contentsOf: Self.nestedFile))
        let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = Array(bytes.dropFirst(8).prefix(length))
        #expect {
            try JSONValue(parsing: header)
        } throws: { error in
            if case .tooDeep(_, limit: 64) = error as? JSONError { true } else { false }
        }
    }
}
