// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON
import Testing

/// Damaged and forged files: a typed error or a file that keeps its promises, never a crash.
@Suite struct HostileFileTests {
    static let bases = ["single-i4-64", "single-i4z-32", "tables-first", "tandem-raw"]

    /// Writes altered images of one golden file over and over.
    final class Bench {
        let folder: TemporaryFolder
        let original: FileImage
        let path: String

        init(_ name: String) throws {
            folder = try TemporaryFolder(inMemory: true)
            path = folder.path("a.tandem")
            let url = formatsFolder.appending(path: "golden/good/\(name).tandem")
            original = FileImage(bytes: Array(try Data(contentsOf: url)))
        }

        /// Opens an image and uses everything in it; nil when all of that works.
        func fault(_ bytes: [UInt8]) throws -> FormatError? {
            try Data(bytes).write(to: URL(filePath: path))
            do {
                let file = try TandemFile(path: path)
                try exercise(file)
                return nil
            } catch let error as FormatError {
                #expect(!error.description.contains("\n") || error.code == "invalid", "\(error)")
                return error
            }
        }

        /// Reads every byte that the descriptors promise.
        private func exercise(_ file: TandemFile) throws {
            for (index, chunk) in file.chunks.enumerated() {
                try #require(chunk.offset >= 0 && chunk.storedLength > 0)
                try #require(chunk.offset <= file.fileSize - chunk.storedLength)
                try file.verify(chunk: index)
                let bytes = try file.bytes(ofChunk: index)
                try #require(bytes.count == chunk.rawLength)
                _ = unsafe bytes.withUnsafeBytes { unsafe XXH64.hash($0) }
                for tensor in file.tensors[chunk.tensors] {
                    try #require(tensor.chunk == index && file.tensor(named: tensor.name) == tensor)
                    try #require(tensor.dataOffset <= bytes.count - tensor.dataLength)
                    try #require(tensor.scalesOffset <= bytes.count - tensor.scalesLength)
                    try #require(tensor.dataOffset % 64 == 0 && tensor.scalesOffset % 64 == 0)
                }
            }
            for need in file.manifest.requiredTensors() {
                let tensor = try #require(file.tensor(named: need.name))
                try #require(tensor.rows == need.rows && tensor.columns == need.columns)
            }
        }
    }

    @Test(arguments: bases)
    func truncatedAnywhere(name: String) throws {
        let bench = try Bench(name)
        let bytes = bench.original.bytes
        for length in stride(from: 0, to: bytes.count, by: bytes.count > 20_000 ? 7 : 1) {
            let error = try #require(try bench.fault(Array(bytes[..<length])))
            let expected = length == 0 ? "empty" : "truncated"
            try #require(error.code == expected, "length \(length): \(error)")
        }
    }

    /// Without new checksums, every changed byte that means anything is found.
    @Test(arguments: bases)
    func flippedBits(name: String) throws {
        let bench = try Bench(name)
        let covered = try coveredBytes(bench)
        var undetected = 0
        for offset in covered.indices where covered[offset] || offset % 64 == 63 {
            var bytes = bench.original.bytes
            bytes[offset] ^= 1 << UInt8(offset % 8)
            let error = try bench.fault(bytes)
            if covered[offset] {
                try #require(error != nil, "byte \(offset)")
            } else {
                undetected += error == nil ? 1 : 0
            }
        }
        #expect(undetected > 0, "bytes between sections mean nothing")
    }

    @Test func everyBitOfHeaderAndTables() throws {
        let bench = try Bench("tables-first")
        let end = bench.original.range(ofSection: HeaderLayout.chunkTable).upperBound
        let covered = try coveredBytes(bench)
        for offset in 0..<end where covered[offset] {
            for bit in 0..<8 {
                var bytes = bench.original.bytes
                bytes[offset] ^= 1 << UInt8(bit)
                try #require(try bench.fault(bytes) != nil, "byte \(offset), bit \(bit)")
            }
        }
    }

    /// Which bytes belong to the header, a section or a chunk.
    private func coveredBytes(_ bench: Bench) throws -> [Bool] {
        try #require(try bench.fault(bench.original.bytes) == nil)
        let file = try TandemFile(path: bench.path)
        var covered = [Bool](repeating: false, count: file.fileSize)
        let ranges =
            [0..<HeaderLayout.size] + FileImage.sections.map { bench.original.range(ofSection: $0) }
            + file.chunks.map { $0.offset..<$0.offset + $0.storedLength }
        for range in ranges { for index in range { covered[index] = true } }
        return covered
    }

    /// Every field set to every suspicious value, with checksums that fit.
    @Test(arguments: bases)
    func forgedFields(name: String) throws {
        let bench = try Bench(name)
        let size = UInt64(bench.original.bytes.count)
        let values: [UInt64] = [
            0, 1, 2, 15, 16, 17, 32, 63, 64, 65, 128, 191, 192, 255, 256, 16_384, 65_536, 65_537, 1 << 20,
            1 << 24,
            (1 << 24) + 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 62), (1 << 63) - 64, (1 << 63) - 1, 1 << 63,
            UInt64.max - 63, UInt64.max - 1, UInt64.max, size, size - 1, size + 1, size - 64, size &* 255,
        ]
        var accepted = 0
        for field in bench.original.fields {
            let old = bench.original.integer(at: field.offset, size: field.size)
            for value in values + [old &+ 1, old &- 1, old &+ 64, old &- 64, old &* 2] {
                var image = bench.original
                image.store(value, at: field.offset, size: field.size)
                if image.bytes == bench.original.bytes { continue }
                image.repair()
                if try bench.fault(image.bytes) == nil { accepted += 1 }
            }
        }
        // Harmless: optional features, a name or an offset of another place that works as well.
        #expect(accepted > 0 && accepted < bench.original.fields.count * 4)
    }

    /// Several random fields at once.
    @Test(arguments: bases)
    func forgedCombinations(name: String) throws {
        let bench = try Bench(name)
        let fields = bench.original.fields
        var random = ByteSource(seed: 2024)
        for _ in 0..<4000 {
            var image = bench.original
            for _ in 0...Int(random.next() % 4) {
                let field = fields[Int(random.next()) % fields.count]
                let old = image.integer(at: field.offset, size: field.size)
                let change = (random.next() % 5) * [1, 16, 64, 4096, 16_384][Int(random.next() % 5)]
                image.store(
                    random.next() % 2 == 0 ? old &+ change : old &- change, at: field.offset, size: field.size
                )
            }
            image.repair()
            _ = try bench.fault(image.bytes)
        }
    }

    /// Every byte of the manifest replaced by others, with checksums that fit.
    @Test func forgedManifest() throws {
        let bench = try Bench("tandem-raw")
        let range = bench.original.range(ofSection: HeaderLayout.manifest)
        for offset in range {
            for value in [0x00, 0x22, 0x2D, 0x2E, 0x30, 0x39, 0x5C, 0x5D, 0x65, 0x7B, 0x7D, 0xC3, 0xFF]
                as [UInt8]
            {
                var image = bench.original
                image.bytes[offset] = value
                image.repair()
                _ = try bench.fault(image.bytes)
            }
        }
    }

    /// Every byte of a compressed chunk replaced, with checksums that fit.
    @Test func forgedCompressedChunk() throws {
        let bench = try Bench("tables-first")
        try #require(try bench.fault(bench.original.bytes) == nil)
        let chunk = try #require(try TandemFile(path: bench.path).chunks.first { $0.codec == .lz4 })
        var refused = 0
        for offset in chunk.offset..<chunk.offset + chunk.storedLength {
            for value in [0x00, 0x0F, 0x10, 0x7F, 0xF0, 0xFF] as [UInt8] {
                var image = bench.original
                image.bytes[offset] = value
                image.repair()
                if try bench.fault(image.bytes)?.code == "corrupt-block" { refused += 1 }
            }
        }
        #expect(refused > 100)
    }
}
