// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Tandem
import TandemFormat
import Testing

/// Budgets that change while a model runs: no bit of any result does.
@Suite("Residency: changing budgets") struct BudgetChangeTests {
    /// Large enough that its layers matter beside what an automatic budget leaves free.
    static let recipe = ModelRecipe(
        name: "changing",
        primary: ModelShape(
            vocabulary: 83, hidden: 208, layers: 8, heads: 4, keyValueHeads: 2, headSize: 52,
            intermediate: 2400),
        secondary: .tandem(
            ModelShape(
                vocabulary: 83, hidden: 20, layers: 2, heads: 3, keyValueHeads: 1, headSize: 8,
                intermediate: 37, tied: true),
            layerMap: [0, 8]),
        seed: 51
    ).stored(as: .int8(group: 64))

    /// Memory that a test gives and takes.
    private final class Supply: Sendable {
        private struct State {
            var bytes: Int
            /// What the next look finds instead.
            var dip: Int?
        }

        private let state: Guarded<State>

        init(_ bytes: Int) { state = Guarded(State(bytes: bytes)) }

        func set(_ count: Int) { state.withLock { $0.bytes = count } }

        /// One look finds only `count` bytes.
        func dip(to count: Int) { state.withLock { $0.dip = count } }

        private func look() -> Int {
            state.withLock { state in
                defer { state.dip = nil }
                return state.dip ?? state.bytes
            }
        }

        /// A word on it before every pass.
        var probe: MemoryProbe {
            MemoryProbe(interval: 0) { AvailableMemory(bytes: self.look(), limitedBy: "test") }
        }

        /// So much that a model may plan with `budget`.
        static func bytes(forBudget budget: Int) -> Int { budget + max(4 << 20, budget / 31 + 1) }
    }

    private struct Setting {
        let fixture: ResidencyFixture
        let storage = TestStorage()
        let least: Int
        let most: Int
        let session: SessionOptions
        private static let threads = 2

        init(_ recipe: ModelRecipe = BudgetChangeTests.recipe, chunks: ResidencyFixture.Chunks = .layers)
            throws
        {
            fixture = try ResidencyFixture(recipe, chunks: chunks)
            // Trees as large as a budget allows would stay with an open session, whose least budget then is a larger one.
            session = try SessionOptions(contextSize: 96, batchSize: 16, maxTree: 16)
            (least, most) = try fixture.limits(
                threads: Self.threads, session: session, sliceLength: 16384)
        }

        func budget(_ share: Double) -> Int { least + Int(Double(most - least) * share) }

        func load(
            _ memory: MemoryBudget, verification: LoadOptions.Verification = .full,
            probe: MemoryProbe = .system
        ) throws -> TandemModel {
            try TandemModel.load(
                from: fixture.path,
                options: fixture.options(
                    memory, threads: Self.threads, session: session, verification: verification),
                sliceLength: 16384, probe: probe
            ) { (file) throws(FormatError) in
                storage.open(try FileStorage(file))
                return storage
            }
        }
    }

    @Test(
        "logits have the same bits before and after, whatever the budget becomes",
        arguments: ResidencyFixture.Chunks.allCases)
    func bits(chunks: ResidencyFixture.Chunks) throws {
        let setting = try Setting(chunks: chunks)
        let tokens = setting.fixture.tokens(11)
        let reference = try setting.fixture.mappedLogits(tokens, blockLength: 5)
        let model = try setting.load(.bytes(setting.budget(1)))
        let session = try model.makeSession(options: setting.session)
        var residencies: Set<MemoryPlan.Residency> = []
        for share in [1, 0.7, 0.4, 0, 0.5, 1, 0.2] {
            try model.setMemoryBudget(.bytes(setting.budget(share)))
            let plan = model.memoryPlan
            residencies.insert(plan.residency)
            #expect(plan.totalBytes <= setting.budget(share))
            #expect(plan.budgetBytes == setting.budget(share))
            for _ in 0..<2 {
                let actual = try session.allLogits(tokens, blockLength: 5)
                #expect(haveSameBits(actual.primary, reference.primary), "share \(share)")
                #expect(haveSameBits(actual.secondary, reference.secondary), "share \(share)")
            }
        }
        #expect(residencies == [.resident, .streamed])
        #expect(setting.storage.isAligned)
    }

    @Test("less memory keeps what fits where it is: no layer is read for that")
    func unpinning() throws {
        let setting = try Setting()
        let model = try setting.load(.bytes(setting.budget(1)))
        #expect(model.memoryPlan.pinnedLayers == Array(0..<8))
        var pinned = Set(model.memoryPlan.pinnedLayers)
        for share in [0.8, 0.6, 0.4, 0.2, 0] {
            let before = setting.storage.bytesRead
            try model.setMemoryBudget(.bytes(setting.budget(share)))
            let now = Set(model.memoryPlan.pinnedLayers)
            #expect(now.isSubset(of: pinned), "share \(share): \(now) of \(pinned)")
            pinned = now
            // Only the checksums of layers that are streamed in part.
            let read = setting.storage.bytesRead - before
            #expect(read < setting.most - setting.least, "share \(share)")
        }
        #expect(pinned.isEmpty)
        // Layers that come back are the only ones read.
        try model.setMemoryBudget(.bytes(setting.budget(0.5)))
        #expect(!model.memoryPlan.pinnedLayers.isEmpty)
    }

    @Test("a budget that changes within a generation does not change its text")
    func withinGeneration() throws {
        for recipe in ResidencyStreamTests.greedyRecipes {
            let setting = try Setting(recipe.stored(as: .int8(group: 64)))
            let prompt = setting.fixture.tokens(20)
            let mapped = try TandemModel.load(
                from: setting.fixture.path, options: setting.fixture.options(.mapped))
            let model = try setting.load(.bytes(setting.budget(0.9)))
            let session = try model.makeSession(options: setting.session)
            for mode in mapped.availableModes where mode != .secondary {
                let parameters = try GenerateParameters(
                    maxTokens: 24, mode: mode, draftMax: 3, ignoreEndTokens: true, logprobs: 0)
                let expected = try mapped.makeSession().generate(tokens: prompt, parameters: parameters)
                var shares = [0.9, 0.1, 0.6, 0, 0.3]
                var problems: [any Error] = []
                try session.reset()
                let actual = try session.generate(tokens: prompt, parameters: parameters) { _ in
                    guard let share = shares.popLast() else { return }
                    do {
                        try model.setMemoryBudget(.bytes(setting.budget(share)))
                    } catch {
                        problems.append(error)
                    }
                }
                #expect(problems.isEmpty)
                #expect(shares.count < 4)
                #expect(actual.tokens == expected.tokens, "\(mode)")
            }
        }
    }

    @Test("another thread changes the budget while generations run together", .timeLimit(.minutes(3)))
    func whileOthersRun() async throws {
        let setting = try Setting()
        let fixture = setting.fixture
        let options = try fixture.options(
            .bytes(setting.budget(1) + (8 << 20)), threads: 2, session: setting.session, sessions: 3)
        let mapped = try TandemModel.load(from: fixture.path, options: fixture.options(.mapped))
        let model = try TandemModel.load(from: fixture.path, options: options)
        let parameters = try GenerateParameters(
            maxTokens: 30, mode: .speed, draftMax: 2, ignoreEndTokens: true)
        var expected: [[Int32]] = []
        for index in 0..<3 {
            expected.append(
                try mapped.makeSession().generate(
                    tokens: fixture.tokens(9, seed: UInt64(index)), parameters: parameters
                ).tokens)
        }
        let least = try #require(leastOf(model))
        let isDone = Atomic<Bool>(false)
        let changes = Atomic<Int>(0)
        let changer = Thread {
            var random = TestRandom(seed: 7)
            while !isDone.load(ordering: .acquiring) {
                let more = random.index(below: 4) * (setting.most - setting.least) / 3
                do {
                    try model.setMemoryBudget(.bytes(least + more))
                    changes.wrappingAdd(1, ordering: .relaxed)
                } catch {
                    Issue.record("\(error)")
                }
            }
            changes.wrappingAdd(1 << 32, ordering: .releasing)
        }
        changer.start()
        let sessions = try (0..<3).map { _ in try model.makeSession(options: setting.session) }
        try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (index, session) in sessions.enumerated() {
                group.addTask {
                    let tokens = fixture.tokens(9, seed: UInt64(index))
                    return (index, try session.generate(tokens: tokens, parameters: parameters).tokens)
                }
            }
            for try await (index, tokens) in group { #expect(tokens == expected[index]) }
        }
        isDone.store(true, ordering: .releasing)
        while changes.load(ordering: .acquiring) < 1 << 32 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(changes.load(ordering: .acquiring) - 1 << 32 >= 0)
    }

    /// The least budget that the model could be given now.
    private func leastOf(_ model: TandemModel) -> Int? {
        do {
            try model.setMemoryBudget(.bytes(1))
        } catch .memoryBudgetTooSmall(_, let least, _) {
            return least
        } catch {}
        return nil
    }

    @Test("a budget that cannot be met is an error that names the least one, and changes nothing")
    func tooSmall() throws {
        let setting = try Setting()
        let model = try setting.load(.bytes(setting.budget(0.6)))
        let session = try model.makeSession(options: setting.session)
        let before = model.memoryPlan
        let error = #expect(throws: TandemError.self) {
            try model.setMemoryBudget(.bytes(setting.least / 2))
        }
        guard case .memoryBudgetTooSmall(let given, let least, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(given == setting.least / 2)
        #expect(model.memoryPlan == before)
        let parameters = try GenerateParameters(maxTokens: 3)
        #expect(try session.generate(tokens: [1, 2], parameters: parameters).tokens.count == 3)
        // The least one will do.
        try model.setMemoryBudget(.bytes(least))
        #expect(model.memoryPlan.totalBytes <= least)
        #expect(try session.generate(tokens: [1, 2, 3], parameters: parameters).tokens.count == 3)
        #expect(throws: TandemError.self) { try model.setMemoryBudget(.bytes(0)) }
        #expect(throws: TandemError.self) { try model.setMemoryBudget(.mapped) }
    }

    @Test("sessions keep their room, and no more of them come in than before")
    func sessions() throws {
        let setting = try Setting()
        let model = try setting.load(.bytes(setting.budget(1)))
        var open: Session? = try model.makeSession(options: setting.session)
        try model.setMemoryBudget(.bytes(setting.budget(0)))
        #expect(throws: TandemError.self) { try model.makeSession(options: setting.session) }
        open = nil
        open = try model.makeSession(options: setting.session)
        #expect(open?.contextSize == 96)
    }

    @Test("memory that becomes less is noticed between passes")
    func observed() throws {
        let setting = try Setting()
        let supply = Supply(Supply.bytes(forBudget: setting.budget(0.9)))
        let mapped = try TandemModel.load(
            from: setting.fixture.path, options: setting.fixture.options(.mapped))
        let model = try setting.load(.automatic, probe: supply.probe)
        #expect(model.memoryPlan.residency == .streamed)
        #expect(model.memoryPlan.budgetSource == "test")
        let session = try model.makeSession(options: setting.session)
        let parameters = try GenerateParameters(maxTokens: 24, ignoreEndTokens: true, logprobs: 0)
        let expected = try mapped.makeSession().generate(tokens: [3, 4, 5], parameters: parameters)
        let atFirst = model.memoryPlan
        var deltas = 0
        let actual = try session.generate(tokens: [3, 4, 5], parameters: parameters) { _ in
            deltas += 1
            if deltas == 4 { supply.set(Supply.bytes(forBudget: setting.budget(0.3))) }
        }
        #expect(actual.tokens == expected.tokens)
        #expect(model.memoryPlan.totalBytes <= setting.budget(0.3))
        #expect(model.memoryPlan.pinnedLayers.count < atFirst.pinnedLayers.count)

        // A little more or less is no reason to change anything.
        let settled = model.memoryPlan
        supply.set(Supply.bytes(forBudget: setting.budget(0.3)) - (1 << 20))
        _ = try session.generate(tokens: [3, 4], parameters: parameters)
        #expect(model.memoryPlan == settled)

        // Too little for a moment: the model gives back what it can, and goes on.
        try session.reset()
        deltas = 0
        var (given, least) = (0, Int.max)
        let disturbed = try session.generate(tokens: [3, 4, 5], parameters: parameters) { _ in
            deltas += 1
            if deltas == 4 {
                supply.dip(to: setting.least / 2)
                given = model.memoryPlan.totalBytes
            } else if deltas > 4 {
                least = min(least, model.memoryPlan.totalBytes)
            }
        }
        #expect(disturbed.tokens == expected.tokens)
        #expect(least < given)

        // Too little for longer: it says what it needs.
        supply.set(setting.least / 2)
        let error = #expect(throws: TandemError.self) {
            try session.generate(tokens: [6, 7], parameters: parameters)
        }
        guard case .memoryBudgetTooSmall(_, let needed, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(model.memoryPlan.totalBytes <= needed)
        #expect(throws: TandemError.self) { try session.generate(tokens: [6, 7], parameters: parameters) }

        // Memory comes back: the session goes on, and layers return when it lasts.
        supply.set(Supply.bytes(forBudget: setting.budget(0.9) + setting.most))
        try session.reset()
        let again = try session.generate(tokens: [3, 4, 5], parameters: parameters)
        #expect(again.tokens == expected.tokens)
        #expect(model.memoryPlan.residency == .resident)
    }

    @Test("a mapped model streams when its file no longer fits, also with sessions open")
    func mapped() throws {
        let setting = try Setting()
        let supply = Supply(Supply.bytes(forBudget: 4 * setting.most))
        let model = try setting.load(.automatic, probe: supply.probe)
        #expect(model.memoryPlan.residency == .mapped)
        let session = try model.makeSession(options: setting.session)
        let parameters = try GenerateParameters(
            maxTokens: 24, draftMax: 2, ignoreEndTokens: true, logprobs: 0)
        let expected = try session.generate(tokens: [3, 4, 5], parameters: parameters)
        try session.reset()
        var deltas = 0
        let actual = try session.generate(tokens: [3, 4, 5], parameters: parameters) { _ in
            deltas += 1
            if deltas == 2 { supply.set(Supply.bytes(forBudget: setting.budget(0.4))) }
        }
        #expect(actual.tokens == expected.tokens)
        #expect(model.memoryPlan.residency == .streamed)
        #expect(actual.streaming.bytesStreamed > 0)
        #expect(throws: TandemError.self) { try model.makeSession(options: setting.session) }
        // Nothing could be streamed within this; but pages of the mapping are the kernel's to take back.
        let other = try setting.load(.automatic, probe: supplyOfMapped(setting))
        let result = try other.makeSession(options: setting.session).generate(
            tokens: [3, 4, 5], parameters: parameters)
        #expect(result.tokens == expected.tokens)
        #expect(other.memoryPlan.residency == .mapped)
    }

    /// Plenty when the model is loaded, nothing afterwards.
    private func supplyOfMapped(_ setting: Setting) -> MemoryProbe {
        let looks = Atomic<Int>(0)
        let plenty = Supply.bytes(forBudget: 4 * setting.most)
        return MemoryProbe(interval: 0) {
            let isFirst = looks.wrappingAdd(1, ordering: .relaxed).oldValue == 0
            return AvailableMemory(bytes: isFirst ? plenty : 1 << 20, limitedBy: "test")
        }
    }

    @Test(
        "a mapping asks for large pages where there is room for all of it, else not",
        .enabled(if: FileManager.default.fileExists(atPath: "/sys/kernel/mm/transparent_hugepage")),
        arguments: [
            (MemoryBudget.automatic, 4.0, true), (.mapped, 4.0, true), (.mapped, 0.5, false),
        ])
    func largePages(budget: MemoryBudget, share: Double, asks: Bool) throws {
        let setting = try Setting()
        let supply = Supply(Supply.bytes(forBudget: Int(share * Double(setting.most))))
        let model = try setting.load(budget, probe: supply.probe)
        #expect(model.memoryPlan.residency == .mapped)
        let flags = try MemoryRegion.all().filter { $0.path == setting.fixture.path }.map(\.flags)
        #expect(!flags.isEmpty)
        #expect(flags.contains { $0.contains("hg") } == asks)
        withExtendedLifetime((model, setting)) {}
    }

    @Test("a budget for a mapped model reads it into memory")
    func fromMapped() throws {
        let setting = try Setting()
        let tokens = setting.fixture.tokens(9)
        let reference = try setting.fixture.mappedLogits(tokens, blockLength: 3)
        for share in [0, 0.5, 1] {
            let model = try setting.load(.mapped)
            let session = try model.makeSession(options: setting.session)
            _ = try session.allLogits(tokens, blockLength: 3)
            try model.setMemoryBudget(.mapped)
            let error = #expect(throws: TandemError.self) { try model.setMemoryBudget(.bytes(1)) }
            guard case .memoryBudgetTooSmall(_, let least, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            let budget = least + Int(Double(setting.most - setting.least) * share)
            try model.setMemoryBudget(.bytes(budget))
            #expect(model.memoryPlan.residency == (share == 1 ? .resident : .streamed))
            let actual = try session.allLogits(tokens, blockLength: 3)
            #expect(haveSameBits(actual.primary, reference.primary), "share \(share)")
            #expect(haveSameBits(actual.secondary, reference.secondary), "share \(share)")
        }
    }

    @Test("a change that cannot be read leaves everything as it was")
    func readError() throws {
        let setting = try Setting(chunks: .models)
        let tokens = setting.fixture.tokens(9)
        let reference = try setting.fixture.mappedLogits(tokens, blockLength: 3)
        let model = try setting.load(.bytes(setting.budget(0)))
        let session = try model.makeSession(options: setting.session)
        let before = model.memoryPlan
        setting.storage.spoil { $0.readsBeforeFailure = 0 }
        #expect(
            throws: TandemError.format(.system(operation: "read", path: setting.fixture.path, code: 5))
        ) { try model.setMemoryBudget(.bytes(setting.budget(1))) }
        setting.storage.spoil { $0.readsBeforeFailure = nil }
        #expect(model.memoryPlan == before)
        #expect(haveSameBits(try session.allLogits(tokens, blockLength: 3).primary, reference.primary))
        try model.setMemoryBudget(.bytes(setting.budget(1)))
        #expect(haveSameBits(try session.allLogits(tokens, blockLength: 3).primary, reference.primary))
    }

    @Test("a change that waits for stalled storage can be cancelled")
    func stalled() throws {
        let setting = try Setting()
        let supply = Supply(Supply.bytes(forBudget: setting.budget(0.5)))
        // Nothing has to be read for the change itself.
        let model = try setting.load(.automatic, verification: .structure, probe: supply.probe)
        let session = try model.makeSession(options: setting.session)
        let parameters = try GenerateParameters(
            maxTokens: 200, mode: .primary, ignoreEndTokens: true, logprobs: 0)
        let token = CancellationToken()
        var deltas = 0
        let canceller = Thread {
            Thread.sleep(forTimeInterval: 0.2)
            token.cancel()
        }
        let result = try session.generate(
            tokens: [1, 2, 3], parameters: parameters, cancellation: token
        ) { _ in
            deltas += 1
            guard deltas == 3 else { return }
            setting.storage.spoil { $0.isStalled = true }
            supply.set(Supply.bytes(forBudget: setting.budget(0.1)))
            canceller.start()
        }
        #expect(result.finishReason == .cancelled)
        setting.storage.spoil { $0.isStalled = false }
        try session.reset()
        let short = try GenerateParameters(maxTokens: 5, mode: .primary, ignoreEndTokens: true)
        #expect(try session.generate(tokens: [1, 2, 3], parameters: short).tokens.count == 5)
        #expect(model.memoryPlan.totalBytes <= setting.budget(0.1))
    }
}
