// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemPack
import Testing

@Suite("Safetensors files")
struct SafetensorsTests {
    private func read(header: String, data: [UInt8] = []) throws -> SafetensorsFile {
        let folder = try TemporaryFolder()
        try folder.write(safetensors(header: Array(header.utf8), data: data), to: "x")
        return try SafetensorsFile(path: folder["x"])
    }

    private func issue(_ bytes: [UInt8]) throws -> SafetensorsIssue? {
        let folder = try TemporaryFolder()
        try folder.write(bytes, to: "x")
        do throws(PackError) {
            _ = try SafetensorsFile(path: folder["x"])
            return nil
        } catch {
            guard case .safetensors(folder["x"], let issue) = error else { throw error }
            return issue
        }
    }

    private func issue(header: String, data: Int = 0) throws -> SafetensorsIssue? {
        try issue(safetensors(header: Array(header.utf8), data: [UInt8](repeating: 0, count: data)))
    }

    @Test func tensorsComeInTheOrderOfTheirBytes() throws {
        let file = try read(
            header: #"""
                {"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},"__metadata__":{"format":"pt"},
                 "a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8],"extra":null}}
                """#, data: [UInt8](repeating: 1, count: 11))
        #expect(file.tensors.map(\.name) == ["a", "b"])
        #expect(file.tensors[0].shape == [1, 2])
        #expect(file.tensors[1].offset == file.tensors[0].offset + 8)
        #expect(file.metadata == ["format": "pt"])
    }

    @Test func emptyTensorsAndScalars() throws {
        let file = try read(
            header: #"{"e":{"dtype":"F32","shape":[0,9],"data_offsets":[0,0]},"s":{"dtype":"F16","shape":[],"#
                + #""data_offsets":[0,2]}}"#, data: [0, 0])
        #expect(file.tensors.map(\.length) == [0, 2])
    }

    @Test func headerBounds() throws {
        #expect(try issue([]) == .tooSmall(size: 0))
        #expect(try issue([1, 2, 3]) == .tooSmall(size: 3))
        #expect(try issue(littleEndian(UInt64(9)) + [0x7B, 0x7D]) == .headerBeyondEnd(length: 9, size: 10))
        #expect(
            try issue(littleEndian(UInt64.max) + [0x7B, 0x7D])
                == .headerTooLarge(length: .max, limit: 100_000_000))
        #expect(
            try issue(littleEndian(UInt64(100_000_001)))
                == .headerTooLarge(length: 100_000_001, limit: 100_000_000))
    }

    static let badMembers = [
        #"[]"#,
        #"{"a":null}"#,
        #"{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}"#,
        #"{"a":{"shape":[1],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#,
        #"{"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        #"{"__metadata__":[],"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
    ]

    @Test(arguments: badMembers)
    func membersOfTheWrongKind(header: String) throws {
        let issue = try issue(header: header, data: 4)
        guard case .invalidMember? = issue else {
            Issue.record("\(header) gave \(String(describing: issue))")
            return
        }
    }

    static let badJSON = [
        "", "{", "{}}", #"{"a":1,"a":2}"#, "\u{FEFF}{}", String(repeating: "[", count: 100_000),
    ]

    @Test(arguments: badJSON)
    func headersThatAreNotJSON(header: String) throws {
        let issue = try issue(header: header)
        guard case .header? = issue else {
            Issue.record("\(header.prefix(20)) gave \(String(describing: issue))")
            return
        }
    }

    @Test func offsetsMustCoverTheData() throws {
        func entry(_ name: String, _ begin: Int, _ end: Int, shape: String = "[1]") -> String {
            #""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#
        }
        #expect(
            try issue(header: "{\(entry("a", 4, 8))}", data: 8)
                == .invalidOffsets(tensor: "a", begin: 4, end: 8, expectedBegin: 0))
        #expect(
            try issue(header: "{\(entry("a", 0, 4)),\(entry("b", 8, 12))}", data: 12)
                == .invalidOffsets(tensor: "b", begin: 8, end: 12, expectedBegin: 4))
        #expect(
            try issue(header: "{\(entry("a", 0, 8, shape: "[2]")),\(entry("b", 4, 8))}", data: 8)
                == .invalidOffsets(tensor: "b", begin: 4, end: 8, expectedBegin: 8))
        #expect(
            try issue(header: "{\(entry("a", 0, 4))}", data: 5) == .uncoveredBytes(covered: 4, present: 5))
        #expect(
            try issue(header: "{\(entry("a", 0, 4))}", data: 3) == .uncoveredBytes(covered: 4, present: 3))
        #expect(
            try issue(header: "{\(entry("a", 0, 4, shape: "[2]"))}", data: 4)
                == .sizeMismatch(tensor: "a", bytes: 4, expected: 8))
        #expect(
            try issue(header: "{\(entry("a", 0, 4, shape: "[4611686018427387904,4]"))}", data: 4)
                == .sizeOverflow(tensor: "a"))
        #expect(
            try issue(header: #"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, data: 2)
                == .misaligned(tensor: "a"))
    }

    @Test func missingFilesAndDirectories() throws {
        let folder = try TemporaryFolder()
        #expect(throws: PackError.fileSystem(operation: "open", path: folder["no"], code: ENOENT)) {
            try SafetensorsFile(path: folder["no"])
        }
        #expect(throws: PackError.notAFile(path: folder.path)) { try SafetensorsFile(path: folder.path) }
    }
}
