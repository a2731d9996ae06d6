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
        out.write((json.dumps({"kind": file.manifest["kind"], "tensors": [t["name"] for t in file.tensors]}) + "\\n").encode())
        for tensor in file.tensors:
            out.write(file.tensor(tensor["name"]).astype("<f4").tobytes())
        """

    @Test(
        .enabled(if: hasPython, "needs python3 with numpy and lz4"),
        arguments: RoundTripTests.encodings, [CodecChoice.raw, .lz4IfSmaller])
    func pythonReadsWhatSwiftWrites(encoding: (TensorEncoding, Int), codec: CodecChoice) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.tandem")
        try SampleFile(encoding: encoding.0, groupSize: encoding.1, codec: codec, tied: codec == .raw).write(to: path)
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
}
