// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import Testing

/// Files that others change while they are mapped.
@Suite(.serialized) struct MappingGuardTests {
    private func sample(_ folder: TemporaryFolder) throws -> String {
        let path = folder.path("a.tandem")
        try SampleFile().write(to: path)
        return path
    }

    /// Touches every page of the mapping.
    private static func sum(_ file: TandemFile) throws -> Int {
        var sum = 0
        for index in file.chunks.indices where !file.chunks[index].tensors.isEmpty {
            for byte in try file.bytes(ofChunk: index).copy() { sum += Int(byte) }
        }
        return sum
    }

    @Test("truncation is an error, not a signal", arguments: ["truncate", "overwrite", "write"])
    func truncated(how: String) throws {
        let folder = try TemporaryFolder()
        let path = try sample(folder)
        let file = try TandemFile(path: path)
        try #require(file.watch(), "this file system has no leases")
        #expect(try Self.sum(file) > 0)
        try file.checkIntact()
        switch how {
        case "truncate": #expect(unsafe truncate(path, 100) == 0)
        case "overwrite": try Data("short".utf8).write(to: URL(filePath: path))
        default:
            let handle = try #require(FileHandle(forWritingAtPath: path))
            try handle.write(contentsOf: Data([1]))
            try handle.close()
        }
        #expect(throws: FormatError.fileChanged(path: path)) { try file.checkIntact() }
        #expect(try Self.sum(file) == 0, "zeros stand in for what is gone")
    }

    @Test("readers at work meanwhile survive") func busy() throws {
        let folder = try TemporaryFolder()
        let path = try sample(folder)
        let file = try TandemFile(path: path)
        try #require(file.watch(), "this file system has no leases")
        let expected = try Self.sum(file)
        let readers = (0..<3).map { _ in
            Reader { [file] in
                while true {
                    let seen = (try? Self.sum(file)) ?? -1
                    do { try file.checkIntact() } catch { return true }
                    if seen != expected { return false }
                }
            }
        }
        usleep(20_000)
        #expect(unsafe truncate(path, 64) == 0)
        for reader in readers { #expect(reader.wait(), "bytes that were not the file's were believed") }
    }

    @Test("replacing the file by another one changes nothing") func replaced() throws {
        let folder = try TemporaryFolder()
        let path = try sample(folder)
        let file = try TandemFile(path: path)
        try #require(file.watch(), "this file system has no leases")
        let before = try Self.sum(file)
        try SampleFile(seed: 7).write(to: path)
        try file.checkIntact()
        #expect(try Self.sum(file) == before)
    }

    @Test("without a watch a shorter file is found between two uses") func unwatched() throws {
        let folder = try TemporaryFolder()
        let path = try sample(folder)
        let file = try TandemFile(path: path)
        try file.checkIntact()
        #expect(unsafe truncate(path, 1000) == 0)
        #expect(throws: FormatError.truncated(expected: file.fileSize, actual: 1000)) {
            try file.checkIntact()
        }
    }

    @Test("a file open for writing cannot be watched") func writer() throws {
        let folder = try TemporaryFolder()
        let path = try sample(folder)
        let handle = try #require(FileHandle(forWritingAtPath: path))
        let file = try TandemFile(path: path)
        #expect(!file.watch())
        try handle.close()
        #expect(file.watch())
    }

    @Test("watches end with their files") func threads() throws {
        let folder = try TemporaryFolder()
        let path = try sample(folder)
        func tasks() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
        }
        let before = try tasks()
        for _ in 0..<200 {
            let file = try TandemFile(path: path)
            #expect(file.watch() && file.watch())
        }
        // Other tests' threads come and go.
        #expect(try tasks() < before + 50)
        #expect(unsafe truncate(path, 10) == 0, "nobody holds the file back")
    }
}

/// A thread with a result.
private final class Reader: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let result = Guarded(false)

    init(_ body: @escaping @Sendable () -> Bool) {
        Thread.detachNewThread { [self] in
            let value = body()
            result.withLock { $0 = value }
            done.signal()
        }
    }

    func wait() -> Bool {
        done.wait()
        return result.withLock { $0 }
    }
}
