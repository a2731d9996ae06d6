// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemFormat
import TandemTokenizer
import Testing

/// Sessions written to files and read back.
@Suite("Session files") struct SessionFileTests {
    static let recipes: [ModelRecipe] = [
        .tandemNear, .pairNear, .single, .everythingTandem, .tandem.stored(as: .int4(group: 32)),
    ]

    /// A session that has generated a little, the tokens of its text, and a folder for its file.
    private func used(_ fixture: EngineFixture, _ mode: DecodingMode, cache: KeyValueType = .f16) throws
        -> (session: Session, text: [TokenID])
    {
        let session = try fixture.session(maxDraft: 6, cache: cache)
        let prompt = fixture.tokens(24)
        let result = try session.generate(
            tokens: prompt,
            parameters: GenerateParameters(maxTokens: 13, mode: mode, draftMax: 3, draftMin: 3))
        return (session, prompt + result.tokens)
    }

    private func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(filePath: path))
    }

    private func fileError(_ body: () throws -> Void) -> SessionFileError? {
        guard case .sessionFile(let error) = refusal(body) else { return nil }
        return error
    }

    // MARK: - Round trips

    @Test("a restored session goes on with the same bits", arguments: recipes, KeyValueType.allCases)
    func roundTrip(_ recipe: ModelRecipe, cache: KeyValueType) throws {
        let fixture = try EngineFixture(recipe)
        let folder = try TemporaryFolder()
        for mode in try fixture.load().availableModes {
            let (session, text) = try used(fixture, mode, cache: cache)
            let path = folder.path("\(mode).session")
            try session.save(to: path)
            let restored = try fixture.session(maxDraft: 6, cache: cache)
            try restored.restore(from: path)
            #expect(restored.tokens == session.tokens)
            #expect(restored.tokens.count >= text.count - 4 && text.starts(with: restored.tokens))
            // Every key and value is the same.
            let again = folder.path("again")
            try restored.save(to: again)
            #expect(try bytes(again) == bytes(path))
            // It goes on in every mode as the session itself does.
            for next in try fixture.load().availableModes {
                let parameters = try GenerateParameters(
                    maxTokens: 15, mode: next, draftMax: 2, draftMin: 2, logprobs: 5)
                let prompt = text + fixture.tokens(3, seed: 4)
                let (other, same) = (try session.fork(), try restored.fork())
                let expected = try other.generate(tokens: prompt, parameters: parameters)
                let actual = try same.generate(tokens: prompt, parameters: parameters)
                #expect(actual.tokens == expected.tokens, "\(mode), then \(next)")
                #expect(actual.logprobs == expected.logprobs, "\(mode), then \(next)")
                #expect(actual.usage == expected.usage)
                if mode == next { #expect(actual.usage.cachedPromptTokens == restored.tokens.count) }
            }
        }
    }

    @Test("contexts of other sizes, as long as the tokens fit")
    func contexts() throws {
        let fixture = try EngineFixture(.tandemNear)
        let path = try TemporaryFolder().path("s")
        let folder = try TemporaryFolder()
        let file = folder.path("s")
        let (session, text) = try used(fixture, .speed)
        try session.save(to: file)
        let count = session.tokens.count
        let parameters = try GenerateParameters(maxTokens: 5, draftMax: 2, draftMin: 2, logprobs: 3)
        let expected = try session.generate(tokens: text, parameters: parameters)
        for context in [count, count + 1, text.count + 6, 100, 160] {
            let other = try fixture.session(context: context)
            try other.restore(from: file)
            #expect(other.tokens.count == count)
            if context > text.count + 5 {
                let result = try other.generate(tokens: text, parameters: parameters)
                #expect(result.tokens == expected.tokens && result.logprobs == expected.logprobs)
                #expect(result.usage.cachedPromptTokens == count)
            }
        }
        let small = try fixture.session(context: count - 1)
        #expect(
            fileError { try small.restore(from: file) }
                == .contextTooSmall(tokens: count, contextSize: count - 1))
        #expect(throws: TandemError.self) { try small.restore(from: path) }
    }

    @Test("an empty session, and one after a reset")
    func empty() throws {
        let fixture = try EngineFixture(.pairNear)
        let folder = try TemporaryFolder()
        try fixture.session().save(to: folder.path("empty"))
        #expect(try bytes(folder.path("empty")).count == SessionFileLayout.size)
        let (session, _) = try used(fixture, .speed)
        #expect(!session.tokens.isEmpty)
        try session.restore(from: folder.path("empty"))
        #expect(session.tokens.isEmpty)
        let result = try session.generate(
            tokens: fixture.tokens(9), parameters: GenerateParameters(maxTokens: 3))
        #expect(result.usage.cachedPromptTokens == 0 && session.tokens.count == 11)
        try session.reset()
        try session.save(to: folder.path("reset"))
        #expect(try bytes(folder.path("reset")) == bytes(folder.path("empty")))
    }

    // MARK: - Damage

    @Test("every damaged byte and every missing one is found, and the session keeps what it held")
    func damage() throws {
        let fixture = try EngineFixture(.tandemNear)
        let folder = try TemporaryFolder()
        let (session, _) = try used(fixture, .speed)
        let path = folder.path("s")
        try session.save(to: path)
        let good = try bytes(path)
        let victim = try fixture.session()
        _ = try victim.generate(tokens: [7, 8, 9], parameters: GenerateParameters(maxTokens: 4))
        let held = victim.tokens
        var random = TestRandom(seed: 3)
        for index in good.indices where index < 600 || index % 7 == 0 {
            var bad = good
            bad[index] ^= 1 << UInt8(random.index(below: 8))
            try write(bad, path)
            let error = fileError { try victim.restore(from: path) }
            #expect(error?.field.isEmpty == false && error?.offset != nil, "byte \(index)")
        }
        for length in 0..<good.count where length < 300 || length % 13 == 0 {
            try write(Array(good.prefix(length)), path)
            let error = fileError { try victim.restore(from: path) }
            switch error {
            case .truncated(let expected, let actual): #expect(actual == length && expected > length)
            default: #expect(length == 0 && error == .storage(.emptyFile(path: path)))
            }
        }
        try write(good + [0], path)
        #expect(fileError { try victim.restore(from: path) }?.field == "header.file_size")
        #expect(victim.tokens == held)
        let reused = try victim.generate(
            tokens: held + [5], parameters: GenerateParameters(maxTokens: 4))
        #expect(reused.usage.cachedPromptTokens == held.count)
        try write(good, path)
        try victim.restore(from: path)
        #expect(victim.tokens == session.tokens)
    }

    /// Headers whose checksum is right, but which ask for what must not be done.
    @Test("hostile headers name the field")
    func hostile() throws {
        typealias Layout = SessionFileLayout
        let fixture = try EngineFixture(.tandemNear)
        let single = try EngineFixture(.single)
        let folder = try TemporaryFolder()
        let path = folder.path("s")
        let (session, _) = try used(fixture, .speed)
        try session.save(to: path)
        let good = try bytes(path)
        let (plain, _) = try used(single, .speed)
        try plain.save(to: path)
        let goodSingle = try bytes(path)
        let (small, _) = try used(fixture, .speed, cache: .int8)
        try small.save(to: path)
        let int8 = try bytes(path)
        #expect(good[Layout.versionMinor] == 0 && int8[Layout.versionMinor] == 1)
        #expect(int8.count < good.count)
        let huge = UInt64.max
        let cases: [(file: [UInt8], at: Int, size: Int, value: UInt64, field: String)] = [
            (good, Layout.versionMajor, 2, 2, "header.version_major"),
            (good, Layout.versionMinor, 2, 2, "header.version_major"),
            (good, Layout.versionMinor, 2, 0xFFFF, "header.version_major"),
            (good, Layout.headerSize, 4, 256, "header.header_size"),
            (good, Layout.headerSize, 4, 0xFFFF_FFFF, "header.header_size"),
            (good, Layout.fileSize, 8, huge, "header.file_size"),
            (good, Layout.fileSize, 8, UInt64(good.count - 1), "header.file_size"),
            (good, Layout.model, 8, 1, "header.model"),
            (good, Layout.keyValueType, 4, 0, "header.key_value_type"),
            // Version 1.0 does not know int8.
            (good, Layout.keyValueType, 4, 2, "header.key_value_type"),
            (int8, Layout.versionMinor, 2, 0, "header.key_value_type"),
            (int8, Layout.keyValueType, 4, 3, "header.key_value_type"),
            (int8, Layout.primaryCache + 8, 8, 1, "header.primary_cache_length"),
            (good, Layout.lead, 4, 1, "header.secondary"),
            (good, Layout.lead, 4, 7, "header.lead"),
            (good, Layout.secondary, 4, 0, "header.secondary_positions"),
            (good, Layout.secondary, 4, 3, "header.secondary"),
            (goodSingle, Layout.secondary, 4, 1, "header.secondary"),
            (goodSingle, Layout.secondary, 4, 2, "header.secondary"),
            (goodSingle, Layout.lead, 4, 1, "header.secondary"),
            (good, Layout.ropeStage, 4, 1, "header.rope_stage"),
            (good, Layout.tokenCount, 8, huge, "header.token_count"),
            (good, Layout.tokenCount, 8, 1 << 62, "header.token_count"),
            (good, Layout.tokenCount, 8, UInt64(session.tokens.count + 1), "header.secondary_positions"),
            (good, Layout.tokenCount, 8, 1, "header.secondary_positions"),
            (good, Layout.secondaryPositions, 8, huge, "header.secondary_positions"),
            (good, Layout.secondaryPositions, 8, 0, "header.secondary_positions"),
            (good, Layout.tokens, 8, 0, "header.tokens_offset"),
            (good, Layout.tokens + 8, 8, huge, "header.tokens_length"),
            (good, Layout.primaryCache, 8, huge, "header.primary_cache_offset"),
            (good, Layout.primaryCache + 8, 8, 1, "header.primary_cache_length"),
            (good, Layout.secondaryCache, 8, 192, "header.secondary_cache_offset"),
            (goodSingle, Layout.secondaryCache + 16, 8, 1, "header.secondary_cache_checksum"),
            (good, Layout.reserved + 5, 1, 1, "header.reserved"),
            (good, Layout.primaryCache + 16, 8, 5, "primary_cache"),
        ]
        for (index, test) in cases.enumerated() {
            var bad = test.file
            for byte in 0..<test.size {
                bad[test.at + byte] = UInt8(truncatingIfNeeded: test.value >> (8 * byte))
            }
            try write(Self.withChecksum(bad), path)
            let target = test.file == good ? session : test.file == int8 ? small : plain
            let error = fileError { try target.restore(from: path) }
            #expect(error?.field == test.field, "case \(index): \(String(describing: error))")
        }
        // A token that the model does not have, with a checksum that is right.
        var bad = good
        bad[192] = 200
        let section = XXH64.hash(Array(bad[192..<192 + 4 * session.tokens.count]))
        for byte in 0..<8 {
            bad[Layout.tokens + 16 + byte] = UInt8(truncatingIfNeeded: section >> (8 * byte))
        }
        try write(Self.withChecksum(bad), path)
        #expect(
            fileError { try session.restore(from: path) }
                == .invalidField(name: "tokens", offset: 192, reason: "200 is outside the vocabulary of 61"))
    }

    private static func withChecksum(_ file: [UInt8]) -> [UInt8] {
        var file = file
        let checksum = XXH64.hash(Array(file[..<SessionFileLayout.checksum]))
        for byte in 0..<8 {
            file[SessionFileLayout.checksum + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * byte))
        }
        return file
    }

    // MARK: - Other files

    @Test("another model, another type of caches, and what is no session file")
    func foreign() throws {
        let fixture = try EngineFixture(.tandemNear)
        let folder = try TemporaryFolder()
        let path = folder.path("s")
        let (session, _) = try used(fixture, .speed)
        try session.save(to: path)
        // The same shapes with other weights.
        var recipe = ModelRecipe.tandemNear
        recipe.seed += 1
        let other = try EngineFixture(recipe).session()
        guard case .otherModel = fileError({ try other.restore(from: path) }) else {
            Issue.record("a foreign session was taken")
            return
        }
        let wide = try fixture.session(cache: .f32)
        #expect(
            fileError { try wide.restore(from: path) } == .otherKeyValueType(saved: .f16, session: .f32))
        #expect(
            fileError { try session.restore(from: fixture.path) } == .notSessionFile(path: fixture.path))
        #expect(
            fileError { try session.restore(from: folder.path("none")) }
                == .storage(.noSuchFile(path: folder.path("none"))))
        #expect(
            fileError { try session.restore(from: folder.url.path) }
                == .storage(.isDirectory(path: folder.url.path)))
        #expect(
            fileError { try session.restore(from: "/dev/zero") }
                == .storage(.notRegularFile(path: "/dev/zero")))
        for error: SessionFileError in [
            .storage(.isDirectory(path: "x")), .notSessionFile(path: "x"),
            .unsupportedVersion(major: 3, minor: 4), .truncated(expected: 3, actual: 2),
            .otherModel(saved: 1, loaded: 2), .otherKeyValueType(saved: .f16, session: .f32),
            .contextTooSmall(tokens: 3, contextSize: 2),
        ] { #expect(TandemError.sessionFile(error).description.count > 15) }
    }

    @Test("a file that cannot be written leaves the old one; what a killed process left behind goes")
    func writing() throws {
        let fixture = try EngineFixture(.single)
        let folder = try TemporaryFolder()
        let (session, _) = try used(fixture, .speed)
        #expect(fileError { try session.save(to: folder.path("none/s")) }?.field == "")
        #expect(
            fileError { try session.save(to: folder.url.path) }
                == .storage(.isDirectory(path: folder.url.path)))
        let path = folder.path("s")
        try session.save(to: path)
        let good = try bytes(path)
        // Left behind long ago by another process, and just now by one that may still write.
        let (old, new) = (path + ".partial-999999998", path + ".partial-999999999")
        try write([1], old)
        try write([1], new)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: old)
        try session.save(to: path)
        #expect(try bytes(path) == good)
        #expect(!FileManager.default.fileExists(atPath: old))
        #expect(FileManager.default.fileExists(atPath: new))
    }
}
