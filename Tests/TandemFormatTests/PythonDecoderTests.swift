// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemJSON
import Testing

/// Files of the Swift writer, read by the decoder written from the specification.
@Suite struct PythonDecoderTests {
    static let hasPython = run("import numpy, lz4.block") != nil

    /// Runs a Python program beside the decoder; its output, nil when it fails.
    static func run(_ program: String, _ arguments: String...) -> Data? {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program] + arguments
        process.currentDirectoryURL = formatsFolder.appending(path: "python")
        var environment = ProcessInfo.processInfo.environment
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        process.environment = environment
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? data : nil
    }

    static let program = """
        import sys, json, tandem_file
        file = tandem_file.TandemFile.open(sys.argv[1])
        file.verify()
        out = sys.stdout.buffer
        names = [tensor["name"] for tensor in file.tensors]
        out.write((json.dumps({"kind": file.manifest["kind"], "tensors": names}) + "\\n").encode())
        for tensor in file.tensors:
            out.write(file.tensor(tensor["name"]).astype("<f4").tobytes())
        """

    @Test(
        .enabled(if: hasPython, "needs python3 with numpy and lz4"),
        arguments: RoundTripTests.encodings, [CodecChoice.raw, .lz4IfSmaller, .planesIfAtMost(1)])
    func pythonReadsWhatSwiftWrites(encoding: (TensorEncoding, Int), codec: CodecChoice) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        try SampleFile(
            encoding: encoding.0, groupSize: encoding.1, codec: codec, tied: codec == CodecChoice.raw
        ).write(
            to: path)
        let output = try #require(Self.run(Self.program, path))
        let split = try #require(output.firstIndex(of: UInt8(ascii: "\n")))
        let summary = try JSONValue(parsing: Array(output[..<split]))
        let file = try TandemFile(path: path)
        #expect(summary["kind"]?.stringValue == "tandem")
        #expect(summary["tensors"]?.arrayValue?.compactMap(\.stringValue) == file.tensors.map(\.name))

        let theirs = Array(output[(split + 1)...])
        let ours = try decodeAll(file)
        try #require(theirs.count == ours.count * 4)
        for (index, value) in ours.enumerated() {
            let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(theirs[4 * index + $1]) << UInt32(8 * $1) }
            let same = value.bitPattern == bits || value.isNaN && Float(bitPattern: bits).isNaN
            try #require(same, "value \(index): \(value), \(Float(bitPattern: bits))")
        }
    }

    static let judge = """
        import os, sys, tandem_file
        for name in sorted(os.listdir(sys.argv[1])):
            try:
                tandem_file.TandemFile.open(os.path.join(sys.argv[1], name)).verify()
                print(name, "ok")
            except tandem_file.TandemError as error:
                print(name, error.code, error.field)
        """

    /// Forged files of one to three changed fields: both readers accept the same ones, and blame the same
    /// field.
    @Test(.enabled(if: hasPython, "needs python3 with numpy and lz4"))
    func verdictsAgree() throws {
        let folder = try TemporaryFolder(inMemory: true)
        var random = ByteSource(seed: 77)
        var ours: [String] = []
        for base in ["single-i4-64", "single-i4z-32", "tables-first"] {
            let url = formatsFolder.appending(path: "golden/good/\(base).tandem")
            let original = FileImage(bytes: Array(try Data(contentsOf: url)))
            let (fields, manifest) = (original.fields, original.range(ofSection: HeaderLayout.manifest))
            for number in 0..<400 {
                var image = original
                for _ in 0...Int(random.next() % 3) {
                    let field = fields[Int(random.next()) % fields.count]
                    let old = image.integer(at: field.offset, size: field.size)
                    let new = [old &+ 64, old &- 64, old &+ 1, old ^ (1 << 31), 0, old &* 2, 16_384]
                    image.store(new[Int(random.next()) % new.count], at: field.offset, size: field.size)
                }
                if number % 4 == 0 {
                    let offset = manifest.lowerBound + Int(random.next()) % manifest.count
                    image = original
                    image.bytes[offset] = UInt8(0x20 + random.next() % 0x5F)
                }
                image.repair()
                let name = "\(base)-\(1000 + number).tandem"
                let path = folder.path(name)
                try Data(image.bytes).write(to: URL(filePath: path))
                let error = formatError {
                    let file = try TandemFile(path: path)
                    for index in file.chunks.indices { try file.verify(chunk: index) }
                }
                ours.append("\(name) " + (error.map { "\($0.code) \($0.field)" } ?? "ok"))
            }
        }
        let output = try #require(Self.run(Self.judge, folder.url.path))
        let theirs = String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
        try #require(theirs.count == ours.count)
        #expect(theirs.count { $0.hasSuffix(" ok") } > 10)
        for (first, second) in zip(ours.sorted(), theirs.sorted()) { #expect(first == second) }
    }
}
