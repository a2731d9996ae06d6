// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import Testing

/// Sessions leave nothing behind.
@Suite("Many sessions") struct SessionCountTests {
    /// Bytes of the process in memory.
    private static func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = text.split(separator: " ").compactMap { Int($0) }
        return try #require(pages.count > 1 ? pages[1] : nil) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    @Test("1000 sessions opened, used and closed take no memory")
    func thousand() throws {
        let fixture = try EngineFixture(.wide)
        let model = try fixture.load(threads: 2)
        let parameters = try GenerateParameters(maxTokens: 3, mode: .speed)
        func use(_ count: Int) throws {
            for index in 0..<count {
                let session = try model.makeSession()
                let result = try session.generate(
                    tokens: fixture.tokens(40, seed: UInt64(index)), parameters: parameters)
                #expect(result.tokens.count == 3)
            }
        }
        try use(50)
        // Other tests run in this process meanwhile; what sessions leave behind is there every time.
        var growths: [Int] = []
        for _ in 0..<8 {
            let before = try Self.residentBytes()
            try use(1000)
            growths.append(try Self.residentBytes() - before)
            if growths[growths.count - 1] < 4 << 20 { break }
        }
        #expect((growths.min() ?? .max) < 4 << 20, "bytes after each 1000 sessions: \(growths)")
    }

    @Test("300 sessions at a time, each with its own text")
    func together() throws {
        let fixture = try EngineFixture(.tandemNear)
        let model = try fixture.load(threads: 2)
        let parameters = try GenerateParameters(maxTokens: 4)
        let sessions = try (0..<300).map { _ in try model.makeSession() }
        let prompts = (0..<300).map { fixture.tokens(5 + $0 % 7, seed: UInt64($0)) }
        let first = try zip(sessions, prompts).map { session, prompt in
            try session.generate(tokens: prompt, parameters: parameters).tokens
        }
        for (index, session) in sessions.enumerated() {
            let text = prompts[index] + first[index]
            let more = try session.generate(tokens: text, parameters: parameters)
            #expect(more.usage.cachedPromptTokens >= prompts[index].count)
            if index % 50 == 0 {
                let fresh = try model.makeSession().generate(tokens: text, parameters: parameters)
                #expect(more.tokens == fresh.tokens)
            }
        }
    }
}
