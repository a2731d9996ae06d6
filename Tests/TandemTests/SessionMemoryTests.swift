// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import Testing

/// What sessions leave behind, measured in a process of its own.
@Suite("Session memory") struct SessionMemoryTests {
    @Test("a thousand sessions, opened, used and closed, leave nothing behind")
    func thousand() async {
        await #expect(processExitsWith: .success) {
            var recipe = ModelRecipe.tandemNear
            recipe.hasTokenizer = true
            recipe.primary.vocabulary = 260
            let fixture = try EngineFixture(recipe)
            let model = try fixture.load(threads: 2)
            let pool = try SessionPool(model: model, count: 4)
            let parameters = try GenerateParameters(maxTokens: 4, draftMax: 2, draftMin: 2, logprobs: 2)
            let path = fixture.path + ".session"
            func use(_ index: Int) throws {
                let session = try model.makeSession()
                _ = try session.generate("abcdefgh", parameters: parameters)
                let copy = try session.fork()
                // Saving waits for the disk.
                if index % 10 == 0 { try copy.save(to: path) }
                try session.restore(from: path)
                _ = try pool.withSession(for: session.tokens) {
                    try $0.generate(tokens: session.tokens, parameters: parameters)
                }
            }
            for index in 0..<100 { try use(index) }
            let before = try Self.residentBytes()
            for index in 0..<1000 { try use(index) }
            let grown = try Self.residentBytes() - before
            #expect(grown < 2 << 20, "\(grown) bytes more")
        }
    }

    /// Memory of this process that is in use.
    private static func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return try #require(Int(fields[1])) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
