// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemFormat
import Testing

/// What goes wrong with the file while its weights are streamed.
@Suite("Residency: faults") struct ResidencyFaultTests {
    static let recipe = ResidencyStreamTests.model.stored(as: .int8(group: 64))

    /// A loaded model, its spoilable storage, and the tokens it should give.
    private struct Setting {
        let fixture: ResidencyFixture
        let storage = TestStorage()
        let model: TandemModel
        let session: Session
        let prompt: [Int32]
        let expected: [Int32]
        let parameters: GenerateParameters

        init(
            chunks: ResidencyFixture.Chunks = .layers, share: Double = 0.2,
            verification: LoadOptions.Verification = .full
        ) throws {
            fixture = try ResidencyFixture(ResidencyFaultTests.recipe, chunks: chunks)
            prompt = fixture.tokens(12)
            parameters = try GenerateParameters(maxTokens: 5, mode: .primary)
            expected = try TandemModel.load(from: fixture.path, options: fixture.options(.mapped))
                .makeSession()
                .generate(tokens: prompt, parameters: parameters).tokens
            model = try fixture.load(
                share: share, verification: verification, sliceLength: 32768, storage: storage)
            session = try model.makeSession()
        }

        func generate() throws -> [Int32] {
            try session.reset()
            return try session.generate(tokens: prompt, parameters: parameters).tokens
        }
    }

    @Test(
        "a read error ends the generation with an error, and the next one starts clean",
        arguments: [0, 1, 7, 40])
    func readError(reads: Int) throws {
        let setting = try Setting()
        #expect(try setting.generate() == setting.expected)
        setting.storage.spoil { $0.readsBeforeFailure = reads }
        #expect(
            throws: TandemError.format(.system(operation: "read", path: setting.fixture.path, code: 5))
        ) { try setting.generate() }
        setting.storage.spoil { $0.readsBeforeFailure = nil }
        #expect(try setting.generate() == setting.expected)
    }

    @Test("a truncated file is an error, not a signal")
    func truncated() throws {
        let setting = try Setting()
        #expect(try setting.generate() == setting.expected)
        let size = try #require(
            try FileManager.default.attributesOfItem(atPath: setting.fixture.path)[.size] as? Int)
        let handle = try #require(FileHandle(forWritingAtPath: setting.fixture.path))
        try handle.truncate(atOffset: UInt64(size / 2))
        let error = #expect(throws: TandemError.self) { try setting.generate() }
        guard case .format(.truncated(let expected, let actual)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(expected > size / 2 && actual == size / 2)
    }

    @Test("a file replaced under its name is still the one that was opened")
    func replaced() throws {
        let setting = try Setting()
        try FileManager.default.removeItem(atPath: setting.fixture.path)
        try Data(repeating: 0x55, count: 100_000).write(to: URL(filePath: setting.fixture.path))
        #expect(try setting.generate() == setting.expected)
    }

    @Test("damage is found in the pass that reads it", arguments: ResidencyFixture.Chunks.allCases)
    func damage(chunks: ResidencyFixture.Chunks) throws {
        for isLate in [false, true] {
            let setting = try Setting(chunks: chunks, share: 0)
            if isLate { #expect(try setting.generate() == setting.expected) }
            // One bit of a streamed matrix, or of what it is stored as.
            let opened = try TandemFile(path: setting.fixture.path)
            let tensor = try #require(opened.tensor(named: TensorName.layer(.primary, 2, .up)))
            let chunk = opened.chunks[tensor.chunk]
            let offset = chunk.codec == .raw ? tensor.dataOffset + 40 : chunk.storedLength / 2
            setting.storage.spoil { $0.flips[chunk.offset + offset] = 4 }
            let error = #expect(throws: TandemError.self) { try setting.generate() }
            guard case .format(.checksumMismatch(let field, _, _, _)) = error else {
                Issue.record("\(chunks), late \(isLate): \(String(describing: error))")
                continue
            }
            #expect(field.hasPrefix("chunks[primary"))
            setting.storage.spoil { $0.flips = [:] }
            #expect(try setting.generate() == setting.expected)
        }
    }

    @Test("damage between the matrices is found as well")
    func damagedNorm() throws {
        let setting = try Setting(share: 0)
        let opened = try TandemFile(path: setting.fixture.path)
        let norm = try #require(opened.tensor(named: TensorName.layer(.primary, 2, .mlpNorm)))
        setting.storage.spoil { $0.flips[opened.chunks[norm.chunk].offset + norm.dataOffset + 5] = 1 }
        #expect(throws: TandemError.self) { try setting.generate() }
        setting.storage.spoil { $0.flips = [:] }
        #expect(try setting.generate() == setting.expected)
    }

    @Test("damage of weights in memory is found when loading")
    func damageAtLoad() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let opened = try TandemFile(path: fixture.path)
        for name in [TensorName.embed(.primary), TensorName.head(.primary), TensorName.projection(0)] {
            let tensor = try #require(opened.tensor(named: name))
            let storage = TestStorage()
            storage.spoil { $0.flips[opened.chunks[tensor.chunk].offset + tensor.dataOffset + 100] = 1 }
            let error = #expect(throws: TandemError.self) { try fixture.load(share: 0.5, storage: storage) }
            guard case .format(.checksumMismatch) = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
    }

    @Test("without verification only reading is checked")
    func unverified() throws {
        let setting = try Setting(verification: .structure)
        let opened = try TandemFile(path: setting.fixture.path)
        let query = try #require(opened.tensor(named: TensorName.layer(.primary, 0, .query)))
        setting.storage.spoil { $0.flips[opened.chunks[query.chunk].offset + query.dataOffset + 9] = 64 }
        #expect(try setting.generate().count == 5)
    }

    @Test("a stalled read can be cancelled, and the session goes on afterwards")
    func stalled() throws {
        let setting = try Setting()
        setting.storage.spoil { $0.isStalled = true }
        let token = CancellationToken()
        let thread = Thread {
            Thread.sleep(forTimeInterval: 0.15)
            token.cancel()
        }
        thread.start()
        let start = Date()
        let result = try setting.session.generate(
            tokens: setting.prompt, parameters: setting.parameters, cancellation: token)
        #expect(result.finishReason == .cancelled)
        #expect(result.tokens.isEmpty)
        #expect(Date().timeIntervalSince(start) < 5)
        setting.storage.spoil { $0.isStalled = false }
        #expect(try setting.generate() == setting.expected)
    }

    @Test("a session that waits for another one's pass can be cancelled")
    func waiting() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let storage = TestStorage()
        let model = try fixture.load(sessions: 2, storage: storage)
        let prompt = fixture.tokens(12)
        let parameters = try GenerateParameters(maxTokens: 10, mode: .primary)
        let (first, second) = (try model.makeSession(), try model.makeSession())
        storage.spoil { $0.isStalled = true }
        let firstToken = CancellationToken()
        let thread = Thread {
            _ = try? first.generate(tokens: prompt, parameters: parameters, cancellation: firstToken)
        }
        thread.start()
        Thread.sleep(forTimeInterval: 0.1)
        for delay in [0, 0.1] {
            let token = CancellationToken()
            let canceller = Thread {
                Thread.sleep(forTimeInterval: delay)
                token.cancel()
            }
            canceller.start()
            let result = try second.generate(tokens: prompt, parameters: parameters, cancellation: token)
            #expect(result.finishReason == .cancelled)
        }
        storage.spoil { $0.isStalled = false }
        firstToken.cancel()
        while !thread.isFinished { Thread.sleep(forTimeInterval: 0.01) }
        let third = try second.generate(tokens: prompt, parameters: parameters)
        #expect(third.tokens.count == 10)
    }

    @Test("programs that the host starts inherit none of the descriptors, and none stays open")
    func descriptors() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        /// Of every open descriptor of the model's file, whether `exec` closes it.
        func closing() -> [Bool] {
            (0..<4096).compactMap { number -> Bool? in
                let link = "/proc/self/fd/\(number)"
                guard (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) == fixture.path
                else { return nil }
                return fcntl(Int32(number), F_GETFD) & FD_CLOEXEC != 0
            }
        }
        do {
            let session = try fixture.load(threads: 2).makeSession()
            let parameters = try GenerateParameters(maxTokens: 2, mode: .primary)
            _ = try session.generate(tokens: fixture.tokens(3), parameters: parameters)
            let flags = closing()
            #expect(flags.count >= 2 && flags.allSatisfy { $0 })
        }
        #expect(closing().isEmpty)
    }

    @Test("models can be dropped while their thread reads")
    func dropped() throws {
        for _ in 0..<6 {
            let fixture = try ResidencyFixture(Self.recipe)
            let session = try fixture.load(threads: 2).makeSession()
            let parameters = try GenerateParameters(maxTokens: 1, mode: .primary)
            _ = try session.generate(tokens: fixture.tokens(3), parameters: parameters)
        }
    }
}
