// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import Testing

@Suite struct WriterTests {
    @Test func sameInputSameBytes() throws {
        let folder = try TemporaryFolder()
        try SampleFile(codec: .lz4IfSmaller).write(to: folder.path("a"))
        try SampleFile(codec: .lz4IfSmaller).write(to: folder.path("b"))
        let first = try Data(contentsOf: URL(filePath: folder.path("a")))
        #expect(try first == Data(contentsOf: URL(filePath: folder.path("b"))))
        try SampleFile(codec: .lz4IfSmaller, seed: 2).write(to: folder.path("b"))
        #expect(try first != Data(contentsOf: URL(filePath: folder.path("b"))))
    }

    @Test func nothingIsLeftWithoutFinish() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        try Data("old".utf8).write(to: URL(filePath: path))
        do {
            let writer = try TandemWriter(path: path)
            try writer.addBlob(name: "blob", bytes: [1, 2, 3], codec: .raw)
            #expect(folder.names == ["a.tandem", "a.tandem.partial-\(getpid())"])
            #expect(
                formatError { try writer.finish(manifest: SampleFile(kind: .single).manifest()) }?.code
                    == "missing-tensor")
        }
        #expect(folder.names == ["a.tandem"])
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("old".utf8))
        try SampleFile(kind: .single).write(to: path)
        #expect(folder.names == ["a.tandem"])
        _ = try TandemFile(path: path)
    }

    @Test func cancelling() throws {
        let folder = try TemporaryFolder()
        let writer = try TandemWriter(path: folder.path("a.tandem"))
        try writer.addBlob(name: "blob", bytes: [1], codec: .raw)
        writer.cancel()
        #expect(folder.names == [])
        #expect(formatError { try writer.addBlob(name: "more", bytes: [1], codec: .raw) }?.code == "misuse")
        writer.cancel()
    }

    @Test func temporaryFiles() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        // Left behind by a killed process that had our number.
        try Data("stale".utf8).write(to: URL(filePath: path + ".partial-\(getpid())"))
        do {
            let writer = try TandemWriter(path: path)
            #expect(formatError { _ = try TandemWriter(path: path) }?.description.contains("already") == true)
            try writer.addBlob(name: "blob", bytes: [1], codec: .raw)
        }
        #expect(folder.names == [])
    }

    @Test func targets() throws {
        let folder = try TemporaryFolder()
        #expect(formatError { _ = try TandemWriter(path: folder.url.path) }?.code == "is-directory")
        #expect(formatError { _ = try TandemWriter(path: "/dev/null") }?.code == "not-regular-file")
        #expect(formatError { _ = try TandemWriter(path: "") }?.code == "no-such-file")
        let path = folder.path("none/a.tandem")
        let error = formatError { _ = try TandemWriter(path: path) }
        #expect(error == .system(operation: "create", path: path, code: ENOENT))
        try Data("x".utf8).write(to: URL(filePath: folder.path("file")))
        #expect(formatError { _ = try TandemWriter(path: folder.path("file/a.tandem")) }?.code == "system")
        #expect(folder.names == ["file"])
    }

    @Test func misuse() throws {
        let folder = try TemporaryFolder()
        let writer = try TandemWriter(path: folder.path("a.tandem"))
        func misuse(_ body: () throws -> Void) -> Bool { formatError(body)?.code == "misuse" }
        let bytes: [UInt8] = [1, 2, 3, 4]
        func append() throws { try unsafe bytes.withUnsafeBytes { try unsafe writer.appendData($0) } }
        func scales() throws { try unsafe bytes.withUnsafeBytes { try unsafe writer.appendScales($0) } }

        #expect(misuse { try writer.endChunk() })
        #expect(misuse { try writer.endTensor() })
        #expect(misuse { try append() })
        #expect(misuse { try writer.beginTensor(name: "a", encoding: .f32, rows: 1, columns: 1) })
        #expect(misuse { try writer.beginChunk(name: "two words") })
        #expect(misuse { try writer.beginChunk(name: "") })
        #expect(misuse { try writer.beginChunk(name: String(repeating: "x", count: 256)) })
        #expect(misuse { try writer.beginChunk(name: "é") })
        try writer.beginChunk(name: "a")
        #expect(misuse { try writer.beginChunk(name: "b") })
        #expect(misuse { try writer.endChunk() }, "empty")
        #expect(
            formatError { try writer.beginTensor(name: "t", encoding: .panelI8, rows: 1, columns: 1) }?.field
                == "tensors[t].group_size")
        try writer.beginTensor(name: "t", encoding: .f32, rows: 1, columns: 1)
        #expect(misuse { try writer.beginTensor(name: "u", encoding: .f32, rows: 1, columns: 1) })
        #expect(misuse { try scales() })
        #expect(misuse { try writer.endTensor() }, "too short")
        #expect(misuse { try writer.endChunk() })
        try append()
        #expect(misuse { try append() }, "too long")
        try writer.endTensor()
        #expect(misuse { try writer.beginTensor(name: "t", encoding: .f32, rows: 1, columns: 1) })
        #expect(misuse { try writer.finish(manifest: SampleFile(kind: .single).manifest()) })
        try writer.endChunk()
        #expect(misuse { try writer.beginChunk(name: "a") })
        #expect(misuse { try writer.addBlob(name: "empty", bytes: [], codec: .raw) })
    }

    @Test func manifestMustFitTheFile() throws {
        let folder = try TemporaryFolder()
        let sample = SampleFile(kind: .single)
        let writer = try TandemWriter(path: folder.path("a.tandem"))
        try SampleFile.addTensors(sample, to: writer)
        #expect(
            formatError { try writer.finish(manifest: sample.manifest(tokenizerChunk: 0)) }?.field
                == "manifest.tokenizer.chunk")
        #expect(
            formatError { try writer.finish(manifest: sample.manifest(tokenizerChunk: 99)) }?.field
                == "manifest.tokenizer.chunk")
        #expect(
            formatError {
                try writer.finish(manifest: SampleFile(kind: .pair).manifest(tokenizerChunk: nil))
            }?
            .field == "secondary.embed")
        try writer.finish(manifest: sample.manifest(tokenizerChunk: nil))
        #expect(
            formatError { try writer.finish(manifest: sample.manifest(tokenizerChunk: nil)) }?.code
                == "misuse")
        #expect(formatError { try writer.beginChunk(name: "late") }?.code == "misuse")
    }

    @Test func compressionIsMeasured() throws {
        let folder = try TemporaryFolder()
        let writer = try TandemWriter(path: folder.path("a.tandem"))
        var source = ByteSource(seed: 9)
        try writer.addBlob(name: "noise", bytes: source.bytes(3 << 20), codec: .raw)
        try writer.addBlob(name: "zeros", bytes: [UInt8](repeating: 0, count: 3 << 20), codec: .raw)
        #expect(try #require(writer.measuredRatio(ofChunk: 0)) > 0.99)
        #expect(try #require(writer.measuredRatio(ofChunk: 1)) < 0.02)
        #expect(writer.measuredRatio(ofChunk: 2) == nil)
    }
}
