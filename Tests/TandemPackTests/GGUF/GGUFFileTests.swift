// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemPack
import Testing

@Suite("GGUF files")
struct GGUFFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func file(_ builder: GGUFBuilder) throws -> GGUFFile { try file(builder.bytes) }

    private func file(_ bytes: [UInt8]) throws -> GGUFFile {
        try folder.write(bytes, to: "x.gguf")
        let file = try GGUFFile(path: folder["x.gguf"])
        try file.checkData()
        return file
    }

    private func issue(_ bytes: [UInt8]) throws -> GGUFIssue? {
        do {
            _ = try file(bytes)
            return nil
        } catch PackError.gguf(_, let issue) {
            #expect(!issue.description.isEmpty)
            return issue
        }
    }

    private func issue(_ change: (inout GGUFBuilder) -> Void) throws -> GGUFIssue? {
        var builder = GGUFBuilder()
        change(&builder)
        return try issue(builder.bytes)
    }

    // MARK: Well-formed

    @Test(arguments: [2, 3] as [UInt32])
    func valuesOfEveryType(version: UInt32) throws {
        var builder = GGUFBuilder()
        builder.version = version
        builder.add("u8", type: 0, [200])
        builder.add("i8", type: 1, [200])
        builder.add("u16", type: 2, [1, 2])
        builder.add("i16", type: 3, [0xFE, 0xFF])
        builder.add("u32", 7)
        builder.add("i32", type: 5, littleEndian(UInt32(bitPattern: -9)))
        builder.add("f32", Float(1.5))
        builder.add("bool", true)
        builder.add("odd bool", type: 7, [9])
        builder.add("string", "grüße")
        builder.add("u64", type: 10, littleEndian(UInt64.max))
        builder.add("i64", type: 11, littleEndian(UInt64(bitPattern: -5)))
        builder.add("f64", type: 12, littleEndian((0.1 as Double).bitPattern))
        builder.add("strings", ["a", "", "bc"])
        builder.add("numbers", [Int32](arrayLiteral: 1, -2, 3))
        builder.add("floats", [Float](arrayLiteral: 0.5, 2))
        builder.add("flags", [true, false])
        let file = try file(builder)
        #expect(file.version == version)
        #expect(file["u8"]?.intValue == 200)
        #expect(file["i8"]?.intValue == -56)
        #expect(file["u16"]?.intValue == 513)
        #expect(file["i16"]?.intValue == -2)
        #expect(file["u32"]?.intValue == 7)
        #expect(file["i32"]?.intValue == -9)
        #expect(file["f32"]?.doubleValue == 1.5)
        #expect(file["bool"]?.boolValue == true)
        #expect(file["odd bool"]?.boolValue == true)
        #expect(file["string"]?.bytes == Array("grüße".utf8))
        #expect(file["u64"]?.intValue == nil)
        #expect(file["u64"]?.doubleValue == 18_446_744_073_709_551_616)
        #expect(file["i64"]?.intValue == -5)
        #expect(file["f64"]?.doubleValue == 0.1)
        #expect(file["strings"]?.arrayValue?.strings == [[97], [], [98, 99]])
        #expect(file["numbers"]?.arrayValue?.integers == [1, -2, 3])
        #expect(file["floats"]?.arrayValue?.floats == [0.5, 2])
        #expect(file["flags"]?.arrayValue?.bools == [true, false])
        #expect(file["numbers"]?.arrayValue?.strings == nil)
        #expect(file["absent"] == nil)
        #expect(file.keys.count == 17)
    }

    @Test func arraysOfArrays() throws {
        var builder = GGUFBuilder()
        let inner = arrayHead(type: 0, count: 2) + [1, 2]
        builder.add("a", type: 9, arrayHead(type: 9, count: 3) + inner + inner + arrayHead(type: 8, count: 0))
        let array = try file(builder)["a"]?.arrayValue
        #expect(array?.count == 3)
        #expect(array?.arrays.map(\.count) == [2, 2, 0])
        #expect(array?.arrays[1].integers == [1, 2])
        #expect(array?.integers == nil)
    }

    @Test func tensorsArePaddedAndTransposed() throws {
        var builder = GGUFBuilder()
        builder.add("a", shape: [2, 3], [1, 2, 3, 4, 5, 6])
        builder.add("b", type: 8, shape: [4, 64], [UInt8](repeating: 1, count: 4 * 68))
        builder.add("c", shape: [], [7])
        let file = try file(builder)
        #expect(file.tensors.map(\.shape) == [[2, 3], [4, 64], []])
        #expect(file.tensors.map(\.length) == [24, 272, 4])
        #expect(file.tensors[1].offset == file.tensors[0].offset + 32)
        #expect(file.tensors[0].offset % 32 == 0)
        #expect(try file.file.bytes(at: file.tensors[2].offset, count: 4) == [0, 0, 0xE0, 0x40])
    }

    @Test func otherAlignment() throws {
        var builder = GGUFBuilder()
        builder.alignment = 4
        builder.add("general.alignment", 4)
        builder.add("a", shape: [1], [1])
        builder.add("b", shape: [1], [2])
        let file = try file(builder)
        #expect(file.alignment == 4)
        #expect(file.tensors[1].offset == file.tensors[0].offset + 4)
    }

    @Test func longTextsCrossTheWindow() throws {
        var builder = GGUFBuilder()
        let long = String(repeating: "x", count: 300_000)
        for index in 0..<6 { builder.add("key\(index)", long + "\(index)") }
        let file = try file(builder)
        for index in 0..<6 { #expect(file["key\(index)"]?.bytes == Array((long + "\(index)").utf8)) }
    }

    // MARK: Malformed

    @Test func headers() throws {
        #expect(try issue([]) == .notGGUF(magic: []))
        #expect(try issue(Array("GGU".utf8)) == .notGGUF(magic: Array("GGU".utf8)))
        #expect(try issue(Array("GGUF".utf8)) == .truncated(field: "the version", offset: 4))
        for version in [0, 1, 4] as [UInt32] {
            #expect(try issue { $0.version = version } == .unsupportedVersion(version))
        }
        #expect(try issue { $0.version = 0x0300_0000 } == .bigEndian(version: 0x0300_0000))
        #expect(
            try issue { $0.claimedTensors = .max }
                == .countTooLarge(what: "tensors", count: .max, limit: 0))
        #expect(
            try issue {
                $0.add("a", 1)
                $0.claimedEntries = 3
            } == .countTooLarge(what: "metadata entries", count: 3, limit: 1))
    }

    @Test func everyTruncationIsFound() throws {
        var builder = GGUFBuilder()
        builder.add("a", [1, 2] as [Float])
        builder.add("b", ["x", "y"])
        builder.add("t", shape: [3], [1, 2, 3])
        let bytes = builder.bytes
        #expect(try issue(bytes) == nil)
        for count in 0..<bytes.count {
            #expect(try issue(Array(bytes[..<count])) != nil, "\(count) of \(bytes.count) bytes")
        }
    }

    @Test func metadata() throws {
        #expect(
            try issue { $0.add("k", type: 13, []) } == .unknownValueType(key: "k", offset: 33, type: 13))
        #expect(
            try issue {
                $0.add("k", 1)
                $0.add("k", 2)
            } == .duplicateKey(key: "k", offset: 41))
        #expect(
            try issue { $0.add("k", type: 8, littleEndian(UInt64(1) << 60)) }
                == .lengthBeyondEnd(
                    field: "the value of metadata 'k'", offset: 37, length: 1 << 60, remaining: 0))
        #expect(
            try issue { $0.add("k", type: 9, arrayHead(type: 6, count: 1 << 61)) }
                == .lengthBeyondEnd(
                    field: "the array of metadata 'k'", offset: 37, length: 1 << 61, remaining: 0))
        let nested = (0..<9).flatMap { _ in arrayHead(type: 9, count: 1) } + arrayHead(type: 0, count: 0)
        guard case .nestingTooDeep("k", _, 8)? = try issue({ $0.add("k", type: 9, nested) }) else {
            Issue.record("nine arrays in each other")
            return
        }
    }

    @Test func alignments() throws {
        for value in [0, 13, 48] {
            #expect(
                try issue { $0.add("general.alignment", value) } == .invalidAlignment(value: "\(value)"))
        }
        #expect(
            try issue { $0.add("general.alignment", type: 10, littleEndian(UInt64(32))) }
                == .invalidAlignment(value: "32"))
        #expect(
            try issue { $0.add("general.alignment", "32") } == .invalidAlignment(value: "no number"))
    }

    private func tensorIssue(_ change: (inout GGUFBuilder.Tensor) -> Void) throws -> GGUFIssue? {
        try issue { builder in
            var tensor = GGUFBuilder.Tensor(
                name: "t", type: 0, dimensions: [4, 2], data: [UInt8](repeating: 0, count: 32))
            change(&tensor)
            builder.tensors = [tensor]
        }
    }

    @Test func tensors() throws {
        #expect(try tensorIssue { _ in } == nil)
        #expect(try tensorIssue { $0.type = 4 } == .unknownTensorType(tensor: "t", offset: 53, type: 4))
        #expect(try tensorIssue { $0.type = 99 } == .unknownTensorType(tensor: "t", offset: 53, type: 99))
        #expect(
            try tensorIssue { $0.type = 2 }
                == .unevenRow(tensor: "t", columns: 4, type: "Q4_0", block: 32))
        #expect(
            try tensorIssue { $0.dimensions[0] = 0 }
                == .invalidDimension(tensor: "t", offset: 37, dimension: 0, size: 0))
        #expect(
            try tensorIssue { $0.dimensions[1] = .max }
                == .invalidDimension(tensor: "t", offset: 45, dimension: 1, size: -1))
        #expect(try tensorIssue { $0.dimensions = [1 << 40, 1 << 40] } == .sizeOverflow(tensor: "t"))
        #expect(try tensorIssue { $0.dimensions = [1 << 62] } == .sizeOverflow(tensor: "t"))
        #expect(
            try tensorIssue { $0.dimensionCount = 5 }
                == .tooManyDimensions(tensor: "t", offset: 33, count: 5))
        #expect(
            try tensorIssue { $0.offset = 32 }
                == .wrongDataOffset(tensor: "t", offset: 57, found: 32, expected: 0))
        #expect(
            try tensorIssue { $0.data.removeLast(32) }
                == .dataBeyondEnd(tensor: "t", end: 128, size: 96))
        guard
            case .invalidName(0, 24, _)? = try tensorIssue({ $0.name = String(repeating: "n", count: 64) })
        else {
            Issue.record("a name of 64 bytes was accepted")
            return
        }
    }

    @Test func overlapsHolesAndDuplicates() throws {
        func two(_ offset: UInt64?, _ name: String = "b") throws -> GGUFIssue? {
            try issue { builder in
                builder.add("a", shape: [8], [Float](repeating: 1, count: 8))
                builder.add(name, shape: [8], [Float](repeating: 1, count: 8))
                builder.tensors[1].offset = offset
            }
        }
        #expect(try two(nil) == nil)
        for offset in [0, 16, 64, 1 << 63] as [UInt64] {
            guard case .wrongDataOffset("b", _, offset, 32)? = try two(offset) else {
                Issue.record("offset \(offset) was accepted")
                continue
            }
        }
        guard case .duplicateTensor("a", _)? = try two(nil, "a") else {
            Issue.record("a second 'a' was accepted")
            return
        }
    }

    /// Every byte of a small file changed in several ways: an error or a file, never a trap, and never much memory.
    @Test func damagedFilesNeverTrap() throws {
        var builder = GGUFBuilder()
        builder.add("general.alignment", 32)
        builder.add("a", ["x", "yz"])
        builder.add("b", type: 9, arrayHead(type: 9, count: 1) + arrayHead(type: 3, count: 1) + [1, 2])
        builder.add("t", shape: [2, 3], [1, 2, 3, 4, 5, 6])
        builder.add("u", type: 14, shape: [1, 256], [UInt8](repeating: 3, count: 210))
        let bytes = builder.bytes
        let header = bytes.count - 32 - 224
        for index in 0..<header {
            for value in [0, 0x7F, 0xFF, bytes[index] ^ 1] as [UInt8] {
                var damaged = bytes
                damaged[index] = value
                _ = try issue(damaged)
            }
        }
    }
}
