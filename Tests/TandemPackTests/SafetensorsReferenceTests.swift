// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemPack
import Testing

/// Third-party files with the verdicts of the reference implementation; absent from a user's clone.
private let referenceFolder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "../shared/data/checkpoints/safetensors").standardizedFileURL

private var hasReferenceFiles: Bool {
    FileManager.default.fileExists(atPath: referenceFolder.appending(path: "expected.tsv").path)
}

@Suite("Safetensors files of the reference implementation")
struct SafetensorsReferenceTests {
    @Test(.enabled(if: hasReferenceFiles, "../shared/data is not here"))
    func verdictsAgree() throws {
        let table = try String(contentsOf: referenceFolder.appending(path: "expected.tsv"), encoding: .utf8)
        let rows = table.split(separator: "\n").dropFirst().map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        try #require(rows.count >= 30)
        for row in rows {
            let (name, mustLoad, verdict) = (row[0], row[2] == "1", row[3])
            let path = referenceFolder.appending(path: name).path
            do throws(PackError) {
                let file = try SafetensorsFile(path: path)
                #expect(mustLoad, "\(name) was accepted")
                let listed = verdict.isEmpty ? 0 : verdict.split(separator: "]").count
                #expect(file.tensors.count == listed, "\(name)")
                let names = file.tensors.map { "\($0.name):\($0.type.rawValue)\($0.shape)" }.sorted()
                if verdict.utf8.allSatisfy({ $0 != UInt8(ascii: "\\") }) {
                    #expect(names.joined(separator: ",") == verdict, "\(name)")
                }
            } catch {
                #expect(!mustLoad, "\(name) was refused: \(error)")
            }
        }
    }
}
