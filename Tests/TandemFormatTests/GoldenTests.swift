// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import Testing

/// Files made by the Python generator, with the verdicts and values every reader must reach.
@Suite struct GoldenTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let file: String
        let verdict: String
        let field: String
        var testDescription: String { file }
        var path: String { formatsFolder.appending(path: "golden").appending(path: file).path }
    }

    static let rows: [Row] = {
        let url = formatsFolder.appending(path: "golden/expected.tsv")
        let text = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").dropFirst().map { line in
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return Row(file: cells[0], verdict: cells[1], field: cells[2])
        }
    }()

    @Test func thereAreGoldenFiles() {
        #expect(Self.rows.count { $0.verdict == "ok" } >= 15)
        #expect(Self.rows.count { $0.verdict != "ok" } >= 200)
    }

    @Test(arguments: rows.filter { $0.verdict == "ok" })
    func good(row: Row) throws {
        let file = try TandemFile(path: row.path)
        for index in file.chunks.indices { try file.verify(chunk: index) }
        try file.verifyChunks(threadCount: 3)
        let values = try decodeAll(file)
        let url = URL(filePath: row.path).deletingPathExtension().appendingPathExtension("values")
        let stored = try Data(contentsOf: url)
        try #require(stored.count == values.count * 4)
        for (index, value) in values.enumerated() {
            let expected = (0..<4).reduce(UInt32(0)) { $0 | UInt32(stored[4 * index + $1]) << UInt32(8 * $1) }
            try #require(value == Float(bitPattern: expected), "value \(index)")
        }
    }

    @Test(arguments: rows.filter { $0.verdict != "ok" })
    func bad(row: Row) throws {
        let error = try #require(
            formatError {
                let file = try TandemFile(path: row.path)
                for index in file.chunks.indices { try file.verify(chunk: index) }
            })
        #expect(error.code == row.verdict && error.field == row.field, "\(error)")
        let together = formatError { try TandemFile(path: row.path).verifyChunks(threadCount: 3) }
        #expect(together == error)
        #expect(!error.description.isEmpty && !error.description.contains("\n"))
        if !row.field.isEmpty, case .invalidField(_, let offset, _) = error { #expect(offset != nil) }
    }

    @Test func laterMinorVersions() throws {
        let path = formatsFolder.appending(path: "golden/good/future-minor.tandem").path
        let file = try TandemFile(path: path)
        #expect(file.minorVersion == 9)
        #expect(file.tensor(named: "router.up") != nil)
        #expect(file.manifestJSON["router"]?["kind"]?.stringValue == "mlp")
    }

    @Test(arguments: [
        ("gguf", "GGUF"), ("safetensors", "safetensors"), ("zip", "zip"), ("text", "text"),
        ("zeros", "unfinished"),
    ])
    func foreignFilesAreNamed(name: String, hint: String) throws {
        let path = formatsFolder.appending(path: "golden/bad/\(name).tandem").path
        let error = try #require(formatError { _ = try TandemFile(path: path) })
        #expect(error.description.contains(hint))
    }
}
