// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Weights that are streamed are read once for all sessions that wait.
@Suite("Shared streams") struct SharedStreamTests {
    static let recipe: ModelRecipe = {
        var recipe = ModelRecipe.wide
        recipe.secondary = .draftCopy(noise: 0.05)
        return recipe
    }()

    @Test("four sessions read little more than one", arguments: [DecodingMode.primary, .speed])
    func bytes(_ mode: DecodingMode) throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let session = try SessionOptions(contextSize: 64, batchSize: 16, maxDraft: 4)
        let prompts = (0..<4).map { fixture.tokens(8, seed: UInt64($0)) }
        // Equal block lengths, so that the numbers of passes are alike.
        let parameters = try GenerateParameters(maxTokens: 24, mode: mode, draftMax: 2, draftMin: 2)
        func streamed(_ count: Int) throws -> (bytes: Int, tokens: [[Int32]]) {
            let storage = TestStorage()
            let model = try fixture.load(threads: 2, session: session, sessions: 4, storage: storage)
            #expect(model.memoryPlan.residency == .streamed)
            let jobs = prompts.prefix(count).map { Job($0, parameters) }
            // Slow storage: a pass takes so long that everybody is ready for the next one.
            storage.spoil { $0.microsecondsPerRead = 3000 }
            let before = model.statistics
            let tokens = try model.run(jobs, options: session).map { try $0.get().tokens }
            let after = model.statistics
            #expect(after.generatedTokens - before.generatedTokens == 24 * count)
            return (after.bytesStreamed - before.bytesStreamed, tokens)
        }
        let one = try streamed(1)
        let four = try streamed(4)
        #expect(one.bytes > 0)
        #expect(four.tokens[0] == one.tokens[0])
        #expect(
            Double(four.bytes) < 2 * Double(one.bytes),
            "four sessions read \(Double(four.bytes) / Double(one.bytes)) times as much as one")
        let mapped = try TandemModel.load(from: fixture.path, options: fixture.options(.mapped))
        let alone = try mapped.runAlone(prompts.map { Job($0, parameters) })
        #expect(four.tokens == alone)
    }

    @Test("a budget for several sessions is kept by their shared activations")
    func plan() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let session = try SessionOptions(contextSize: 64, batchSize: 16, maxDraft: 4)
        func activations(_ sessions: Int) throws -> Int {
            let plan = try TandemModel.memoryPlan(
                forFile: fixture.path,
                options: fixture.options(.bytes(1 << 30), session: session, sessions: sessions))
            return plan.items.first { $0.name == "activations" }?.bytes ?? 0
        }
        let (one, eight) = (try activations(1), try activations(8))
        #expect(one > 0)
        #expect(eight < 5 * one, "they are not kept eight times")
        let model = try fixture.load(threads: 1, session: session, sessions: 2)
        let sessions = try (0..<2).map { _ in try model.makeSession(options: session) }
        #expect(throws: TandemError.self) { try model.makeSession(options: session) }
        // Longer blocks of prompts than planned are charged to the session that wants them.
        #expect(throws: TandemError.self) {
            try TandemModel.load(
                from: fixture.path,
                options: fixture.options(.bytes(model.memoryPlan.leastBytes), session: session)
            ).makeSession(options: SessionOptions(contextSize: 64, batchSize: 64, maxDraft: 4))
        }
        #expect(sessions.count == 2)
    }
}
