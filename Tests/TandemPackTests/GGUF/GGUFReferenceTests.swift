// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemPack
import Testing

/// Third-party checkpoints beside the repository.
let sharedCheckpoints = URL(filePath: #filePath).appending(path: "../../../../../shared/data/checkpoints")
    .standardizedFileURL

/// Third-party files with the verdicts of llama.cpp; absent from a user's clone.
private let referenceFolder = sharedCheckpoints.appending(path: "gguf")

private var hasReferenceFiles: Bool {
    FileManager.default.fileExists(atPath: referenceFolder.appending(path: "expected.tsv").path)
}

@Suite("GGUF files of llama.cpp's tests")
struct GGUFReferenceTests {
    @Test(.enabled(if: hasReferenceFiles, "../shared/data is not here"))
    func verdictsAgree() throws {
        let table = try String(contentsOf: referenceFolder.appending(path: "expected.tsv"), encoding: .utf8)
        let rows = table.split(separator: "\n").dropFirst().map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        try #require(rows.count >= 27)
        for row in rows {
            let (name, mustLoad, readsData) = (row[0], row[2] == "1", row[4] == "1")
            do throws(PackError) {
                let file = try GGUFFile(path: referenceFolder.appending(path: name).path)
                if readsData { try file.checkData() }
                #expect(mustLoad, "\(name) was accepted")
            } catch {
                #expect(!mustLoad, "\(name) was refused: \(error)")
                guard case .gguf = error else {
                    Issue.record("\(name): \(error)")
                    continue
                }
            }
        }
    }

    @Test(.enabled(if: hasReferenceFiles, "../shared/data is not here"))
    func everythingIsFound() throws {
        let file = try GGUFFile(path: referenceFolder.appending(path: "DATA_SUCCESS_seed1.gguf").path)
        try file.checkData()
        #expect(file.tensors.count == 80)
        #expect(file.tensors.first?.name == "my_tensor_0")
        #expect(file.tensors.first?.type.name == "IQ1_S")
        #expect(file.tensors[1].shape == [2, 1024])
        #expect(file.tensors.last?.offset == 903_872)
        #expect(file.tensors.last?.type.name == "I16")
        #expect(file.dataEnd == file.file.size)
        #expect(Set(file.tensors.map(\.type)).count > 20)
    }
}
