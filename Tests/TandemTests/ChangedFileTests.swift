// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemFormat
import Testing

/// A model whose file others change while it is mapped.
@Suite("Changed files") struct ChangedFileTests {
    private struct Setting {
        let folder: TemporaryFolder
        let path: String
        let model: TandemModel

        init() throws {
            folder = try TemporaryFolder()
            path = folder.path("model.tandem")
            try RandomModel(ModelRecipe.tandem.stored(as: .int8(group: 64))).write(to: path)
            model = try TandemModel.load(from: path, options: LoadOptions(threadCount: 2, memory: .mapped))
        }
    }

    @Test("truncation ends generations with an error that names the file") func truncated() throws {
        let setting = try Setting()
        let session = try setting.model.makeSession()
        let parameters = try GenerateParameters(maxTokens: 20)
        #expect(try session.generate(tokens: [1, 2, 3], parameters: parameters).tokens.count == 20)
        #expect(unsafe truncate(setting.path, 4096) == 0)
        for _ in 0..<2 {
            #expect(throws: TandemError.format(.fileChanged(path: setting.path))) {
                try session.generate(tokens: [5, 6], parameters: parameters)
            }
        }
        #expect(throws: TandemError.self) {
            try setting.model.makeSession().generate(tokens: [5], parameters: parameters)
        }
        #expect(throws: TandemError.self) { try TandemModel.load(from: setting.path) }
    }

    @Test("truncation in the middle of a generation") func middle() throws {
        let setting = try Setting()
        let session = try setting.model.makeSession(options: SessionOptions(contextSize: 64))
        let parameters = try GenerateParameters(maxTokens: 50, ignoreEndTokens: true, logprobs: 0)
        var deltas = 0
        #expect(throws: TandemError.format(.fileChanged(path: setting.path))) {
            try session.generate(tokens: [1, 2, 3], parameters: parameters) { _ in
                deltas += 1
                if deltas == 3 { unsafe truncate(setting.path, 100) }
            }
        }
        #expect(deltas >= 3)
    }

    @Test("a file replaced by renaming goes on being used") func replaced() throws {
        let setting = try Setting()
        let session = try setting.model.makeSession()
        let parameters = try GenerateParameters(maxTokens: 20)
        let before = try session.generate(tokens: [1, 2, 3], parameters: parameters).tokens
        try Data("something else".utf8).write(to: URL(filePath: setting.path), options: .atomic)
        try session.reset()
        #expect(try session.generate(tokens: [1, 2, 3], parameters: parameters).tokens == before)
    }
}
