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

    @Test func descriptorsAreClosed() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        try SampleFile(kind: .single).write(to: path)
        // Far more files than a process may have open.
        for _ in 0..<3000 { _ = try TandemFile(path: path) }
        for _ in 0..<3000 { _ = formatError { _ = try TandemFile(path: "/dev/null") } }
    }
}
