// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import Testing

/// What a new user meets first: the wrong path.
@Suite struct OpenErrorTests {
    @Test func missingFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("none.tandem")
        #expect(formatError { _ = try TandemFile(path: path) } == .noSuchFile(path: path))
        #expect(formatError { _ = try TandemFile(path: "") }?.code == "no-such-file")
        #expect(formatError { _ = try TandemFile(path: "a\0b") }?.code == "no-such-file")
    }

    @Test func directory() throws {
        let folder = try TemporaryFolder()
        #expect(
            formatError { _ = try TandemFile(path: folder.url.path) } == .isDirectory(path: folder.url.path))
    }

    @Test func devicesAndPipes() throws {
        let folder = try TemporaryFolder()
        let pipe = folder.path("pipe")
        try #require(unsafe mkfifo(pipe, 0o600) == 0)
        #expect(formatError { _ = try TandemFile(path: pipe) } == .notRegularFile(path: pipe))
        #expect(formatError { _ = try TandemFile(path: "/dev/zero") } == .notRegularFile(path: "/dev/zero"))
    }

    @Test func unreadable() throws {
        let error = formatError { _ = try TandemFile(path: String(repeating: "x", count: 5000)) }
        #expect(error?.code == "system")
        #expect(error?.description.contains("too long") == true)
    }

    @Test func chunkIndex() throws {
        let folder = try TemporaryFolder()
        try SampleFile(kind: .single).write(to: folder.path("a.tandem"))
        let file = try TandemFile(path: folder.path("a.tandem"))
        #expect(formatError { _ = try file.bytes(ofChunk: -1) }?.code == "misuse")
        #expect(formatError { try file.verify(chunk: file.chunks.count) }?.code == "misuse")
        #expect(file.tensor(named: "primary.nothing") == nil)
    }

    @Test("of several damaged chunks the first is named", arguments: [1, 2, 64])
    func damagedChunks(threadCount: Int) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        try SampleFile(kind: .tandem).write(to: path)
        let chunks = try TandemFile(path: path).chunks
        try #require(chunks.count >= 4)
        var bytes = try Data(contentsOf: URL(filePath: path))
        for chunk in chunks.suffix(3) { bytes[chunk.offset] ^= 1 }
        try bytes.write(to: URL(filePath: path))
        let file = try TandemFile(path: path)
        let error = try #require(formatError { try file.verifyChunks(threadCount: threadCount) })
        #expect(error.code == "checksum")
        #expect(error.field == "chunks[\(chunks[chunks.count - 3].name)]")
    }

    @Test func descriptorsAreClosed() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        try SampleFile(kind: .single).write(to: path)
        // Far more files than a process may have open.
        for _ in 0..<3000 { _ = try TandemFile(path: path) }
        for _ in 0..<3000 { _ = formatError { _ = try TandemFile(path: "/dev/null") } }
    }
}
