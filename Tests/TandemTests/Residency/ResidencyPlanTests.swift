// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemFormat
import Testing

/// What a plan promises before anything is read.
@Suite("Residency: plans") struct ResidencyPlanTests {
    static let recipe = ResidencyStreamTests.model.stored(as: .int8(group: 64))

    private func plan(
        _ fixture: ResidencyFixture, _ budget: Int, _ session: SessionOptions = .default
    ) throws -> MemoryPlan {
        try TandemModel.memoryPlan(
            forFile: fixture.path, options: fixture.options(.bytes(budget), session: session))
    }

    @Test("every budget from the least on is kept, and more memory hardly ever reads more")
    func budgets() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let (least, most) = try fixture.limits()
        #expect(least < most)
        var streamed = Int.max / 2
        var residencies: Set<MemoryPlan.Residency> = []
        for step in 0...20 {
            let budget = least + (most - least) * step / 20
            let plan = try plan(fixture, budget)
            #expect(plan.totalBytes <= budget)
            #expect(plan.leastBytes == least)
            // Longer units and larger blocks of prompts may take a little of what is won.
            #expect(plan.streamedBytes <= streamed + streamed / 20)
            #expect(plan.items.allSatisfy { $0.bytes > 0 })
            streamed = plan.streamedBytes
            residencies.insert(plan.residency)
        }
        #expect(residencies == [.streamed, .resident])
        #expect(streamed == 0)
    }

    @Test("a budget that is too small names the least one, which will do")
    func tooSmall() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let (least, _) = try fixture.limits()
        for budget in [1, least / 2, least - 1] {
            let error = #expect(throws: TandemError.self) { try plan(fixture, budget) }
            guard case .memoryBudgetTooSmall(let given, let needed, let largest) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(given == budget)
            #expect(needed == least)
            #expect(largest.contains("runtime"))
        }
        let model = try TandemModel.load(from: fixture.path, options: fixture.options(.bytes(least)))
        let result = try model.makeSession().generate(
            tokens: fixture.tokens(5), parameters: GenerateParameters(maxTokens: 3))
        #expect(result.tokens.count == 3)
    }

    @Test("contexts and cache types count")
    func contexts() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        func least(_ context: Int, _ type: KeyValueType) throws -> Int {
            try fixture.limits(session: SessionOptions(contextSize: context, keyValueType: type)).least
        }
        #expect(try least(32, .f16) < least(160, .f16))
        #expect(try least(160, .f16) < least(160, .f32))
        #expect(try least(160, .int8) < least(160, .f16))
    }

    @Test("a session larger than planned is refused")
    func sessions() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let small = try SessionOptions(contextSize: 40)
        let model = try fixture.load(session: small)
        #expect(throws: TandemError.self) { try model.makeSession(options: SessionOptions(contextSize: 160)) }
        do {
            let session = try model.makeSession(options: small)
            #expect(session.contextSize == 40)
            #expect(throws: TandemError.self) { try model.makeSession(options: small) }
        }
        // Its memory is free again.
        #expect(try model.makeSession(options: small).contextSize == 40)
    }

    @Test("layers in memory are spread evenly")
    func spread() throws {
        let fixture = try ResidencyFixture(
            ModelRecipe(
                name: "deep",
                primary: ModelShape(
                    vocabulary: 30, hidden: 128, layers: 12, heads: 4, keyValueHeads: 4, headSize: 32,
                    intermediate: 320, tied: true), seed: 41
            ).stored(as: .int8(group: 64)))
        let (least, most) = try fixture.limits()
        var seen: Set<Int> = []
        for step in 0..<24 {
            let plan = try plan(fixture, least + (most - least) * step / 24)
            let pinned = plan.pinnedLayers
            seen.insert(pinned.count)
            let gaps = zip([-1] + pinned, pinned + [12]).map { $1 - $0 - 1 }
            // The wrap-around from the last layer to the first of the next pass counts as one gap.
            let inner = gaps.dropFirst().dropLast()
            if let widest = inner.max(), let narrowest = inner.min() { #expect(widest - narrowest <= 1) }
        }
        #expect(seen.count > 5, "\(seen)")
    }

    @Test("the mapped file is the choice where memory is plenty")
    func automatic() throws {
        let fixture = try ResidencyFixture(Self.recipe)
        let plan = try TandemModel.memoryPlan(forFile: fixture.path, options: fixture.options(.automatic))
        #expect(plan.residency == .mapped)
        #expect(plan.ringBytes == 0)
        #expect(plan.streamedBytes == 0)
    }

    @Test("sizes are read as people write them")
    func sizes() {
        let good: [(String, MemoryBudget)] = [
            ("256M", .bytes(256 << 20)), ("1G", .bytes(1 << 30)), ("1.5g", .bytes(3 << 29)),
            ("64MiB", .bytes(64 << 20)), ("64MB", .bytes(64 << 20)), ("1000", .bytes(1000)),
            ("10k", .bytes(10240)), ("12B", .bytes(12)), ("2T", .bytes(2 << 40)), ("auto", .automatic),
            ("mapped", .mapped),
        ]
        for (text, budget) in good { #expect(MemoryBudget(text) == budget, "\(text)") }
        for text in [
            "", "M", "-1M", "1X", "1..5M", "1e9", "0", "1 G", "٣M", "99999999T", "1MiBB", ".5M", "iB", "1ib",
        ] {
            #expect(MemoryBudget(text) == nil, "\(text)")
        }
    }
}
