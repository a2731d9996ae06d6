// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON
import Testing

@Suite struct RoundTripTests {
    static let encodings: [(TensorEncoding, Int)] = [
        (.panelF32, 0), (.panelI8, 32), (.panelI8, 64), (.panelI8, 128), (.panelI8, 0), (.panelI4, 32),
        (.panelI4, 64), (.panelI4, 128), (.panelI4, 0), (.panelI4Z, 32), (.panelI4Z, 64), (.panelI4Z, 128),
        (.panelI4Z, 0),
    ]

    @Test(arguments: encodings)
    func everyEncoding(encoding: TensorEncoding, groupSize: Int) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        let sample = SampleFile(encoding: encoding, groupSize: groupSize)
        let size = try sample.write(to: path)
        let file = try TandemFile(path: path)
        #expect(file.fileSize == size)
        #expect(folder.names == ["a.tandem"])
        #expect(file.minorVersion == (encoding == .panelI4Z ? 1 : 0))
        #expect(file.requiredFeatures == (encoding == .panelI4Z ? .asymmetric : []))
        try expectSame(file, sample)
    }

    @Test(arguments: Manifest.Kind.allCases, [false, true])
    func everyKind(kind: Manifest.Kind, tied: Bool) throws {
        let folder = try TemporaryFolder()
        let sample = SampleFile(kind: kind, tied: tied)
        try sample.write(to: folder.path("a.tandem"))
        let file = try TandemFile(path: folder.path("a.tandem"))
        #expect(file.manifest.kind == kind)
        #expect((file.tensor(named: "primary.head") == nil) == tied)
        try expectSame(file, sample)
    }

    /// Every tensor has the bytes that were given, in a chunk whose checksum holds.
    private func expectSame(_ file: TandemFile, _ sample: SampleFile) throws {
        #expect(try file.manifest == sample.manifest())
        var source = ByteSource(seed: sample.seed)
        #expect(file.tensors.map(\.name) == file.manifest.requiredTensors().map(\.name))
        for index in file.chunks.indices { try file.verify(chunk: index) }
        for tensor in file.tensors {
            let chunk = try file.bytes(ofChunk: tensor.chunk)
            let bytes = chunk.copy()
            #expect(Int(bitPattern: unsafe chunk.baseAddress) % 64 == 0)
            let data = source.bytes(tensor.dataLength)
            let scales = source.bytes(tensor.scalesLength)
            #expect(
                Array(bytes[tensor.dataOffset..<tensor.dataOffset + tensor.dataLength]) == data,
                "\(tensor.name)")
            #expect(
                Array(bytes[tensor.scalesOffset..<tensor.scalesOffset + tensor.scalesLength]) == scales,
                "\(tensor.name)")
        }
        let tokenizer = try #require(file.manifest.tokenizer)
        #expect(try chunkBytes(file, tokenizer.chunk) == sample.tokenizer)
    }

    @Test func rawChunksAreUsedInPlace() throws {
        let folder = try TemporaryFolder()
        try SampleFile().write(to: folder.path("a.tandem"))
        var file: TandemFile? = try TandemFile(path: folder.path("a.tandem"))
        let index = try #require(file?.chunk(named: "primary.embed"))
        let chunk = try #require(try file?.bytes(ofChunk: index))
        #expect(chunk.isMapped)
        #expect(try #require(file).chunks[index].offset % 16_384 == 0)
        let before = chunk.copy()
        try file?.advise(.dontNeed, chunk: index)
        file = nil
        #expect(chunk.copy() == before, "the bytes outlive the file object")
    }

    @Test func compressibleTensorsCanBeCompressed() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        // 3 blocks: text, noise (stored), text.
        var bytes = [UInt8](repeating: 7, count: 1 << 20)
        var source = ByteSource(seed: 3)
        bytes += source.bytes(1 << 20)
        bytes += [UInt8](repeating: 9, count: 12_345)
        let writer = try TandemWriter(path: path)
        try writer.addBlob(name: "first", bytes: bytes, codec: .lz4IfSmaller)
        try writer.addBlob(name: "noise", bytes: source.bytes(5000), codec: .lz4IfSmaller)
        try writer.beginChunk(name: "weights", codec: .lz4IfSmaller)
        try writer.beginTensor(name: "extra", encoding: .f32, rows: 1, columns: 1 << 20)
        let zeros = [UInt8](repeating: 0, count: 4 << 20)
        try unsafe zeros.withUnsafeBytes { try unsafe writer.appendData($0) }
        try writer.endTensor()
        try writer.endChunk()
        let ratio = try #require(writer.measuredRatio(ofChunk: 2))
        #expect(ratio < 0.01)
        #expect(try #require(writer.measuredRatio(ofChunk: 1)) >= 1)
        let sample = SampleFile(kind: .single)
        try SampleFile.addTensors(sample, to: writer)
        try writer.finish(manifest: sample.manifest(tokenizerChunk: 0))

        let file = try TandemFile(path: path)
        #expect(file.chunks.prefix(3).map(\.codec) == [.lz4, .raw, .lz4])
        #expect(file.chunks[2].storedLength < 20_000)
        for index in file.chunks.indices { try file.verify(chunk: index) }
        #expect(try chunkBytes(file, 0) == bytes)
        let weights = try file.bytes(ofChunk: 2)
        #expect(!weights.isMapped && weights.count == 4 << 20)
        #expect(Int(bitPattern: unsafe weights.baseAddress) % 64 == 0)
        #expect(weights.copy() == zeros)
    }

    @Test("weights as bit planes: blocks of every kind, odd ends, and what does not pay")
    func planes() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        var source = ByteSource(seed: 4)
        // Small numbers of both signs in two blocks, noise in one, an end of 13 bytes in the last.
        let small = (0..<(2 << 20)).map { _ in UInt8(bitPattern: Int8(source.bytes(1)[0] % 15) - 7) }
        let bytes = small + source.bytes(1 << 20) + small[..<4096] + [0x80, 0xFF, 0x7F, 0, 1]
        let noise = source.bytes(3 << 20)
        let writer = try TandemWriter(path: path)
        try writer.addBlob(name: "small", bytes: bytes, codec: .planesIfAtMost(0.95))
        try writer.addBlob(name: "noise", bytes: noise, codec: .planesIfAtMost(0.95))
        try writer.addBlob(name: "tight", bytes: bytes, codec: .planesIfAtMost(0.5))
        try writer.addBlob(name: "short", bytes: [1, 2, 3], codec: .planesIfAtMost(3))
        let sample = SampleFile(kind: .single, codec: .planesIfAtMost(1.1))
        try SampleFile.addTensors(sample, to: writer)
        try writer.finish(manifest: sample.manifest(tokenizerChunk: 3))

        let file = try TandemFile(path: path)
        #expect(file.requiredFeatures.contains(.planes))
        #expect(file.minorVersion == 1)
        #expect(file.chunks.prefix(4).map(\.codec) == [.planes, .raw, .raw, .planes])
        // Three of eight planes are random, the sign and the rest are not: folded values are 0 … 7 and −1 … −8.
        #expect(file.chunks[0].storedLength < bytes.count * 3 / 4)
        #expect(file.chunks.dropFirst(4).contains { $0.codec == .planes })
        for index in file.chunks.indices { try file.verify(chunk: index) }
        #expect(try chunkBytes(file, 0) == bytes)
        #expect(try chunkBytes(file, 1) == noise)
        #expect(try chunkBytes(file, 2) == bytes)
        #expect(try chunkBytes(file, 3) == [1, 2, 3])
        let plain = folder.path("b.tandem")
        try SampleFile().write(to: plain)
        try SampleFile(codec: .planesIfAtMost(1.1)).write(to: path)
        let bits = { (path: String) in try decodeAll(TandemFile(path: path)).map(\.bitPattern) }
        #expect(try bits(path) == bits(plain))
    }
}
