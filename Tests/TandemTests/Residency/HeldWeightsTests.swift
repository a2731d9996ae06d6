// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Memory that caches and activations do not use yet holds streamed weights.
@Suite("Residency: memory not used yet") struct HeldWeightsTests {
    private struct Setting {
        let fixture: ResidencyFixture
        let mapped: TandemModel
        let model: TandemModel
        let session: SessionOptions
        let storage = TestStorage()

        init(
            share: Double = 0.3, sessions: Int = 1, threads: Int = 2,
            chunks: ResidencyFixture.Chunks = .layers
        ) throws {
            fixture = try ResidencyFixture(BudgetChangeTests.recipe, chunks: chunks)
            // Trees as large as a budget allows would stay with an open session, whose least budget then is a larger one.
            session = try SessionOptions(contextSize: 96, batchSize: 64, maxTree: 16)
            mapped = try TandemModel.load(from: fixture.path, options: fixture.options(.mapped))
            model = try fixture.load(
                share: share, threads: threads, session: session, sessions: sessions, sliceLength: 16384,
                storage: storage)
        }

        /// Text of the mapped model.
        func expected(_ prompt: [Int32], _ parameters: GenerateParameters) throws -> [Int32] {
            try mapped.makeSession().generate(tokens: prompt, parameters: parameters).tokens
        }
    }

    @Test("a pass reads less while there is room, and the text is the same", arguments: [0, 0.3, 0.7])
    func reading(share: Double) throws {
        let setting = try Setting(share: share)
        let plan = setting.model.memoryPlan
        #expect(plan.residency == .streamed)
        #expect(plan.totalBytes <= plan.budgetBytes ?? 0)
        let session = try setting.model.makeSession(options: setting.session)
        let prompt = setting.fixture.tokens(6)
        let parameters = try GenerateParameters(maxTokens: 8, mode: .primary, ignoreEndTokens: true)
        let expected = try setting.expected(prompt, parameters)
        // The first pass takes what it has room for as it goes by.
        #expect(try setting.model.heldWeightBytes() == 0)
        _ = try session.generate(tokens: prompt, parameters: parameters)
        let held = try setting.model.heldWeightBytes()
        #expect(held > plan.heldBytes)
        #expect(held <= plan.heldBytes + plan.sparseBytes)
        try session.reset()
        let result = try session.generate(tokens: prompt, parameters: parameters)
        #expect(result.tokens == expected)
        #expect(try setting.model.heldWeightBytes() == held)
        // Whole passes, what is read ahead for the next one, and embedding rows.
        let passes = 1 + result.speculative.primaryPasses
        let rows = 64 * 1024 * (6 + 8)
        #expect(
            result.streaming.bytesStreamed
                <= passes * (plan.passBytes + plan.heldBytes - held) + plan.ringBytes + rows)
        #expect(setting.storage.isAligned)
    }

    @Test("weights make room as a text grows", arguments: ResidencyFixture.Chunks.allCases)
    func growing(chunks: ResidencyFixture.Chunks) throws {
        let setting = try Setting(chunks: chunks)
        let session = try setting.model.makeSession(options: setting.session)
        var held: [Int] = []
        for length in [8, 40, 90] {
            let prompt = setting.fixture.tokens(length)
            let parameters = try GenerateParameters(maxTokens: 4, mode: .primary, ignoreEndTokens: true)
            for _ in 0..<2 {
                let result = try session.generate(tokens: prompt, parameters: parameters)
                #expect(result.tokens == (try setting.expected(prompt, parameters)), "\(length) tokens")
            }
            held.append(try setting.model.heldWeightBytes())
        }
        #expect(held == held.sorted(by: >))
        // A block of a compressed chunk may be longer than what 90 positions take.
        if !chunks.areCompressed { #expect(held[0] > held[2]) }
    }

    @Test("positions that are copied into a session take room at once")
    func copying() throws {
        let setting = try Setting(sessions: 2)
        let session = try setting.model.makeSession(options: setting.session)
        let prompt = setting.fixture.tokens(90)
        let parameters = try GenerateParameters(
            maxTokens: 4, mode: .speed, draftMax: 2, ignoreEndTokens: true)
        let expected = try setting.expected(prompt, parameters)
        for _ in 0..<2 {
            #expect(try session.generate(tokens: prompt, parameters: parameters).tokens == expected)
        }
        let before = try setting.model.heldWeightBytes()
        let copy = try session.fork()
        let after = try setting.model.heldWeightBytes()
        #expect(after < before)
        #expect(try copy.generate(tokens: prompt, parameters: parameters).tokens == expected)
        #expect(try session.generate(tokens: prompt, parameters: parameters).tokens == expected)
    }

    @Test("another budget takes the room away at once, and gives it back")
    func budgets() throws {
        let setting = try Setting(share: 0.5)
        let session = try setting.model.makeSession(options: setting.session)
        let prompt = setting.fixture.tokens(6)
        let parameters = try GenerateParameters(maxTokens: 6, mode: .primary, ignoreEndTokens: true)
        let expected = try setting.expected(prompt, parameters)
        _ = try session.generate(tokens: prompt, parameters: parameters)
        let plan = setting.model.memoryPlan
        let before = try setting.model.heldWeightBytes()
        try setting.model.setMemoryBudget(.bytes(plan.leastBytes))
        let room = setting.model.memoryPlan.heldBytes + setting.model.memoryPlan.sparseBytes
        #expect(try setting.model.heldWeightBytes() <= room)
        #expect(try session.generate(tokens: prompt, parameters: parameters).tokens == expected)
        try setting.model.setMemoryBudget(.bytes(try #require(plan.budgetBytes)))
        try session.reset()
        #expect(try session.generate(tokens: prompt, parameters: parameters).tokens == expected)
        #expect(try setting.model.heldWeightBytes() == before)
    }

    @Test("a pass that fails while it takes weights leaves nothing wrong behind")
    func failing() throws {
        let setting = try Setting()
        let session = try setting.model.makeSession(options: setting.session)
        let prompt = setting.fixture.tokens(6)
        let parameters = try GenerateParameters(maxTokens: 6, mode: .primary, ignoreEndTokens: true)
        let expected = try setting.expected(prompt, parameters)
        for reads in [3, 20, 60] {
            setting.storage.spoil { $0.readsBeforeFailure = reads }
            #expect(throws: TandemError.self) {
                _ = try session.generate(tokens: prompt, parameters: parameters)
                _ = try session.generate(tokens: prompt, parameters: parameters)
            }
            setting.storage.spoil { $0.readsBeforeFailure = nil }
            try session.reset()
            #expect(try session.generate(tokens: prompt, parameters: parameters).tokens == expected)
        }
    }
}
