// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import Testing

/// Failing writes leave nothing behind.
@Suite(.serialized) struct FullDiskTests {
    /// A file system of one mebibyte, where this process may mount one.
    final class SmallDisk {
        let folder: TemporaryFolder

        init?() throws {
            folder = try TemporaryFolder()
            guard SmallDisk.run("mount", ["-t", "tmpfs", "-o", "size=1m", "none", folder.url.path]) else {
                return nil
            }
        }

        deinit { _ = SmallDisk.run("umount", [folder.url.path]) }

        static func run(_ program: String, _ arguments: [String]) -> Bool {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [program] + arguments
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }

    static let canMount = (try? SmallDisk()) != nil

    @Test(.enabled(if: canMount, "needs the right to mount a small file system"), arguments: [700, 1500])
    func fullDisk(kilobytes: Int) throws {
        let disk = try #require(try SmallDisk())
        let path = disk.folder.path("a.tandem")
        var source = ByteSource(seed: 4)
        let filler = source.bytes(400 << 10)
        try Data(filler).write(to: URL(filePath: disk.folder.path("filler")))
        let writer = try TandemWriter(path: path)
        do {
            let error = formatError {
                for part in 0..<(kilobytes / 100) {
                    try writer.addBlob(name: "part\(part)", bytes: source.bytes(100 << 10), codec: .raw)
                }
                try SampleFile.addTensors(SampleFile(kind: .single), to: writer)
                try writer.finish(manifest: SampleFile(kind: .single).manifest(tokenizerChunk: nil))
            }
            #expect(error == .diskFull(path: path))
            #expect(error?.description.contains(path) == true)
        }
        #expect(disk.folder.names == ["filler"], "already before the writer is released")
        #expect(formatError { try writer.addBlob(name: "more", bytes: [1], codec: .raw) }?.code == "misuse")
    }

    /// Any other write error, here the process's file size limit, in a process of its own.
    @Test func writeError() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
            signal(SIGXFSZ, SIG_IGN)
            try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let folder = try TemporaryFolder()
            do {
                let writer = try TandemWriter(path: folder.path("a.tandem"))
                let bytes = [UInt8](repeating: 1, count: 3 << 20)
                let error = formatError { try writer.addBlob(name: "blob", bytes: bytes, codec: .raw) }
                #expect(error == .system(operation: "write", path: folder.path("a.tandem"), code: EFBIG))
            }
            #expect(folder.names == [])
        }
    }
}
