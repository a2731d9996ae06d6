// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// A machine and a text that exist only as numbers: what passes cost and how often drafts are right.
private struct Scene {
    /// Seconds of a primary pass over one row, of one more row, and of one draft.
    var base = 1.0
    var marginal = 0.1
    var draft = 0.15
    /// Of a pass over 1, 2, … rows instead, where they are no line; those beyond cost as much as the last four did.
    var rows: [Double] = []
    /// Probability that a draft is kept: drawn anew for every draft between these.
    var acceptance = 0.6...0.8
    var generator = SeededGenerator(seed: 7)

    mutating func chance() -> Double {
        acceptance.lowerBound + (acceptance.upperBound - acceptance.lowerBound) * generator.uniform()
    }

    func time(of count: Int) -> Double {
        guard let last = rows.last else { return base + marginal * Double(count - 1) }
        let more = (last - rows[max(0, rows.count - 5)]) / 4
        return base * (count <= rows.count ? rows[count - 1] : last + more * Double(count - rows.count))
    }

    /// Runs passes for at least `tokens` tokens; returns tokens per second.
    mutating func run(_ policy: inout DraftPolicy, tokens: Int) -> Double {
        var made = 0
        var time = 0.0
        while made < tokens {
            var pass = policy.begin(room: 64)
            var chances: [Double] = []
            while policy.wantsStep(pass) {
                time += draft
                policy.recordDraft(seconds: draft, in: &pass)
                let chance = chance()
                guard policy.takes(evidence: chance, in: &pass) else { break }
                chances.append(chance)
            }
            let accepted = chances.firstIndex { generator.uniform() > $0 } ?? chances.count
            let seconds = self.time(of: chances.count + 1)
            time += seconds
            made += accepted + 1
            policy.record(
                pass, drafted: chances.count, accepted: accepted,
                PassMeasure(rows: chances.count + 1, seconds: seconds))
        }
        return Double(made) / time
    }

    /// Tokens per second that the best fixed block length up to `longest` gives in the long run.
    func best(_ longest: Int) -> Double {
        let chance = (acceptance.lowerBound + acceptance.upperBound) / 2
        var tokens = 1.0
        var survival = 1.0
        var best = 1 / base
        for length in 1...longest {
            survival *= chance
            tokens += survival
            best = max(best, tokens / (time(of: length + 1) + draft * Double(length)))
        }
        return best
    }
}

@Suite struct DraftPolicyTests {
    @Test(
        "Close to the best fixed block length, or better, whatever passes cost",
        arguments: [
            Scene(), Scene(draft: 0.02), Scene(marginal: 0.3, draft: 0.3),
            Scene(marginal: 0, draft: 0.001, acceptance: 0.85...0.95),
            Scene(marginal: 0.05, draft: 0.1, acceptance: 0.1...0.9),
            Scene(base: 1e-4, marginal: 2e-5, draft: 2e-5, acceptance: 0.3...1),
        ])
    fileprivate func nearTheBest(scene: Scene) {
        var adaptive = scene
        var policy = DraftPolicy(limits: 0...24)
        _ = adaptive.run(&policy, tokens: 500)
        #expect(adaptive.run(&policy, tokens: 40_000) >= 0.98 * scene.best(24))
    }

    @Test("Drafts of uneven quality gain from stopping where they are poor")
    func betterThanFixed() {
        let scene = Scene(marginal: 0.08, draft: 0.08, acceptance: 0...1)
        var adaptive = scene
        var policy = DraftPolicy(limits: 0...24)
        _ = adaptive.run(&policy, tokens: 500)
        #expect(adaptive.run(&policy, tokens: 40_000) >= 1.03 * scene.best(24))
    }

    @Test("Short texts, of which nothing is known before, gain nearly as much")
    func shortTexts() {
        let scene = Scene(marginal: 0.015, draft: 0.12, acceptance: 0.4...1)
        var adaptive = scene
        let rates = (0..<100).map { _ in
            var policy = DraftPolicy(limits: 0...16)
            return adaptive.run(&policy, tokens: 96)
        }
        #expect(rates.reduce(0, +) / 100 >= 0.92 * scene.best(16))
    }

    /// Where every row takes its time, drafts gain nothing, however good they are: texts that begin with that knowledge lose
    /// little before it is confirmed.
    @Test(
        "Short texts lose little where rows are dear",
        arguments: [("scalar", 1.0, 0.96), ("scalar", 0.9, 0.95), ("avx2", 0.6, 0.95)])
    func dearRows(instructionSet: String, marginal: Double, bar: Double) {
        var scene = Scene(marginal: marginal, draft: 0.2, acceptance: 0.6...1)
        let costs = PassCosts(
            primaryBytes: 10_000_000, secondaryBytes: 2_000_000, instructionSet: instructionSet)
        let rates = (0..<100).map { _ in
            var policy = DraftPolicy(limits: 0...16, costs: costs)
            return scene.run(&policy, tokens: 128)
        }
        #expect(rates.reduce(0, +) / 100 >= bar * scene.best(16))
    }

    /// Kernels with blocks of four rows, on a machine that is busy with other things: what `tandem bench --verify` printed on Zen 3.
    @Test(
        "Short texts gain where the cost of rows is no line",
        arguments: [
            (11_000_000, [1, 1.57, 2.05, 2.68, 3.45, 3.9, 4.3, 4.75, 5.3, 5.8, 6.3, 6.75], 0.94),
            (1_000_000_000, [1, 1.02, 1.05, 1.1, 1.4, 1.65, 1.85, 2.1, 2.4, 2.6, 2.8, 3], 0.93),
        ])
    func rowsInBlocks(bytes: Int, rows: [Double], bar: Double) {
        var scene = Scene(draft: 0.15, acceptance: 0.75...1)
        scene.rows = rows
        let costs = PassCosts(
            primaryBytes: bytes, secondaryBytes: bytes / 7, instructionSet: "avx2")
        let rates = (0..<100).map { _ in
            var policy = DraftPolicy(limits: 0...15, costs: costs)
            return scene.run(&policy, tokens: 128)
        }
        #expect(rates.reduce(0, +) / 100 >= bar * scene.best(15))
    }

    @Test("Hopeless drafts cost next to nothing, and drafting comes back when they improve")
    func fallback() {
        var scene = Scene(marginal: 0.2, draft: 0.3, acceptance: 0.02...0.1)
        var policy = DraftPolicy(limits: 0...16)
        _ = scene.run(&policy, tokens: 500)
        #expect(scene.run(&policy, tokens: 40_000) >= 0.98 / scene.base)
        scene.acceptance = 0.9...0.95
        _ = scene.run(&policy, tokens: 2000)
        #expect(scene.run(&policy, tokens: 2000) >= 0.95 * scene.best(16))
    }

    @Test("A primary that reads slow storage gets long blocks")
    func storage() {
        var scene = Scene(base: 3, marginal: 0.001, draft: 0.01, acceptance: 0.9...0.97)
        var policy = DraftPolicy(limits: 0...64)
        _ = scene.run(&policy, tokens: 500)
        #expect(scene.run(&policy, tokens: 40_000) >= 0.95 * scene.best(64))
    }

    @Test("Fixed limits give exactly that many drafts")
    func fixed() {
        var policy = DraftPolicy(limits: 3...3)
        for _ in 0..<5 {
            var pass = policy.begin(room: 10)
            var count = 0
            while policy.wantsStep(pass) {
                #expect(policy.takes(evidence: 0, in: &pass))
                count += 1
            }
            #expect(count == 3)
            policy.record(pass, drafted: 3, accepted: 0, PassMeasure(rows: 4, seconds: 1))
        }
        var pass = policy.begin(room: 1)
        #expect(policy.wantsStep(pass))
        #expect(policy.takes(evidence: 0.5, in: &pass))
        #expect(!policy.wantsStep(pass))
    }

    @Test("With fixed costs, decisions do not depend on the clock")
    func clockless() {
        func lengths(slow: Double) -> [Int] {
            var generator = SeededGenerator(seed: 3)
            var policy = DraftPolicy(limits: 0...12, costs: PassCosts(draftOverPass: 0.1))
            return (0..<200).map { _ in
                var pass = policy.begin(room: 12)
                var count = 0
                while policy.wantsStep(pass) {
                    policy.recordDraft(seconds: slow, in: &pass)
                    guard policy.takes(evidence: generator.uniform(), in: &pass) else { break }
                    count += 1
                }
                policy.record(
                    pass, drafted: count, accepted: min(count, Int(generator.uniform() * 4)),
                    PassMeasure(rows: count + 1, seconds: 3 * slow))
                return count
            }
        }
        #expect(lengths(slow: 0.001) == lengths(slow: 7))
        #expect(Set(lengths(slow: 1)).count > 1)
    }

    @Test("Costs: the line through the passes, unmoved by a stalled one")
    func costs() {
        var costs = PassCosts()
        #expect(!costs.isKnown)
        for pass in 0..<60 {
            let rows = 1 + pass % 5
            costs.recordPass(PassMeasure(rows: rows, seconds: 2 + 0.3 * Double(rows - 1)))
            costs.recordDraft(seconds: 0.25)
        }
        #expect(abs(costs.base - 2) < 0.05)
        #expect(abs(costs.marginal - 0.3) < 0.03)
        #expect(abs(costs.draft - 0.25) < 1e-3)
        costs.recordPass(PassMeasure(rows: 1, seconds: 500))
        costs.recordDraft(seconds: 500)
        #expect(costs.base < 3)
        #expect(costs.draft < 0.35)
    }

    /// Every pass up to half slower than it should be, at random.
    @Test("Costs: rows that are free while weights are read, and blocks of rows")
    func shapesOfCosts() {
        let work = (1...16).map { (rows: Int) -> Double in 0.3 * Double((rows + 3) / 4) + 0.7 * Double(rows) }
        let blocks = work.map { 1 + 0.6 * ($0 - 1) }
        let hinge = work.map { max(1, 0.28 * $0) }
        for (bytes, truth) in [(11_000_000, blocks), (1_000_000_000, hinge)] {
            var generator = SeededGenerator(seed: 5)
            var costs = PassCosts(primaryBytes: bytes, instructionSet: "avx2")
            for _ in 0..<200 {
                let rows = 1 + Int(generator.uniform() * 8)
                let seconds = 0.01 * truth[rows - 1] * (1 + 0.5 * generator.uniform())
                costs.recordPass(PassMeasure(rows: rows, seconds: seconds))
            }
            for rows in 1..<8 {
                let row = truth[rows] - truth[rows - 1]
                #expect(abs(costs.row(after: rows) / costs.base - row) < 0.08, "\(bytes) bytes, \(rows) rows")
            }
        }
    }

    @Test("Costs: what a stall made dear is cheap again with the first undisturbed pass")
    func disturbedStart() {
        var costs = PassCosts()
        costs.recordDraft(seconds: 4e-3)
        costs.recordDraft(seconds: 4e-3)
        costs.recordPass(PassMeasure(rows: 1, seconds: 1e-3))
        for rows in [3, 2, 4] {
            costs.recordPass(PassMeasure(rows: rows, seconds: 1e-4 + 1e-5 * Double(rows)))
        }
        #expect(costs.draft > 3e-3 && abs(costs.base - 1.1e-4) < 2e-5)
        costs.recordDraft(seconds: 6e-5)
        #expect(costs.draft < 2e-4)
        costs.recordDraft(seconds: 5e-5)
        #expect(costs.draft < 1e-4)
    }

    @Test("Looked-up drafts do not put off the trials that bring the secondary back")
    func trialsBesideLookups() {
        var policy = DraftPolicy(limits: 0...8)
        let proposal = PromptLookup.Proposal(tokens: [1, 2, 3], matchLength: 4)
        var steps = 0
        for _ in 0..<200 {
            var pass = policy.begin(room: 8)
            let first = policy.wantsStep(pass)
            if first {
                // Every step stalls, so no draft pays.
                policy.recordDraft(seconds: 20, in: &pass)
                steps += 1
                _ = policy.takes(evidence: 0.5, in: &pass)
            } else {
                policy.markLookedUp(&pass, proposal)
            }
            policy.record(pass, drafted: first ? 1 : 3, accepted: 1, PassMeasure(rows: 4, seconds: 1))
        }
        #expect(steps >= 4 && steps < 60)
    }

    @Test("Costs: what others know of the price of a row counts until passes of several lengths show it")
    func knownMarginal() {
        var costs = PassCosts()
        costs.recordPass(PassMeasure(rows: 1, seconds: 1, marginal: 0.5))
        #expect(abs(costs.marginal - 0.5) < 0.01)
        for pass in 0..<60 {
            costs.recordPass(
                PassMeasure(rows: 1 + pass % 4, seconds: 1 + 0.1 * Double(pass % 4), marginal: 0.5))
        }
        #expect(abs(costs.marginal - 0.1) < 0.02)
    }

    /// Passes that read 90 % of the weights: 2 s and now and then 3, in which computing 0.05 s + 0.002 s a row is hidden.
    @Test("Costs: where weights are streamed, storage that varies says nothing of the price of a row")
    func streaming() {
        var costs = PassCosts()
        for pass in 0..<12 {
            let rows = [20, 180, 90, 200, 40][pass % 5]
            let computing = 0.05 + 0.002 * Double(rows - 1)
            let reading = [2.0, 3.0, 2.2][pass % 3]
            costs.recordPass(
                PassMeasure(
                    rows: rows, seconds: reading, wait: reading - computing, streamedShare: 0.9))
            #expect(costs.isKnown)
            #expect(costs.marginal < 0.001, "\(pass): \(costs.marginal)")
            #expect(costs.base > 1.5 && costs.base < 3)
        }
        #expect(abs(costs.marginal - 0.0002) < 0.00005)
        #expect(costs.draft < 0.02, "a sixth of the computing: \(costs.draft)")
        // Computing takes as long as reading: rows hide behind nothing.
        var fast = PassCosts()
        for pass in 0..<30 {
            let rows = 1 + 10 * (pass % 4)
            fast.recordPass(
                PassMeasure(
                    rows: rows, seconds: 0.051 + 0.002 * Double(rows - 1), wait: 0.001, streamedShare: 0.9))
        }
        #expect(fast.marginal > 0.0017)
    }

    @Test("A prompt's pass tells what passes cost where weights are streamed, and only there")
    func promptPass() {
        var policy = DraftPolicy(limits: 0...16, nodes: 64)
        policy.recordPrompt(PassMeasure(rows: 20, seconds: 0.2))
        #expect(!policy.costs.isKnown)
        #expect(policy.expansions(DraftPool(root: 0), policy.begin(room: 16, nodes: 64), room: 64).isEmpty)
        policy.recordPrompt(PassMeasure(rows: 20, seconds: 2.3, wait: 2.2, streamedShare: 0.9))
        let pass = policy.begin(room: 16, nodes: 64)
        #expect(policy.growsTree(pass))
        #expect(policy.expansions(DraftPool(root: 0), pass, room: 64) == [0])
    }

    @Test("What was learnt is kept for others with the same limits")
    func memory() {
        let memory = DraftMemory()
        func known(_ policy: DraftPolicy) -> Double? { memory.recall(like: policy)?.costs.base }
        #expect(known(DraftPolicy(limits: 0...4)) == nil)
        memory.keep(DraftPolicy(limits: 0...4))
        #expect(known(DraftPolicy(limits: 0...4)) == nil, "nothing was learnt")
        for (limits, costs) in [(0...4, PassCosts(draftOverPass: 0.1)), (3...3, PassCosts())] {
            var policy = DraftPolicy(limits: limits, costs: costs)
            policy.record(policy.begin(room: 4), drafted: 0, accepted: 0, PassMeasure(rows: 1, seconds: 1))
            memory.keep(policy)
            #expect(known(policy) == nil, "fixed costs and fixed lengths teach nothing")
        }
        var policy = DraftPolicy(limits: 0...4, nodes: 8)
        policy.record(policy.begin(room: 4), drafted: 0, accepted: 0, PassMeasure(rows: 1, seconds: 2))
        memory.keep(policy)
        #expect(known(DraftPolicy(limits: 0...4, nodes: 8)) == policy.costs.base)
        #expect(known(DraftPolicy(limits: 0...5, nodes: 8)) == nil)
        #expect(known(DraftPolicy(limits: 0...4, nodes: 9)) == nil)
        #expect(known(DraftPolicy(limits: 0...4, nodes: 8, isSampled: true)) == nil)
    }
}

@Suite struct PromptLookupTests {
    @Test("Proposes what followed the longest match, the latest occurrence first")
    func proposals() {
        var lookup = PromptLookup()
        lookup.update([1, 2, 3, 4, 9, 2, 3, 5, 6, 2, 3])
        #expect(lookup.propose(limit: 3) == .init(tokens: [5, 6, 2], matchLength: 2))
        lookup.update([1, 2, 3, 4, 9, 2, 3, 5, 6, 1, 2, 3])
        #expect(lookup.propose(limit: 2) == .init(tokens: [4, 9], matchLength: 3))
        #expect(lookup.propose(limit: 0) == nil)
        lookup.update([1, 2, 3, 4])
        #expect(lookup.propose(limit: 2) == nil)
    }

    @Test("All occurrences: longer matches first, then the newest; a path goes on from the newest tokens")
    func occurrences() {
        var lookup = PromptLookup()
        lookup.update([1, 2, 3, 4, 9, 2, 3, 5, 6, 1, 2, 3])
        #expect(
            lookup.proposals(limit: 2, count: 4) == [
                .init(tokens: [4, 9], matchLength: 3), .init(tokens: [5, 6], matchLength: 2),
            ])
        #expect(lookup.proposals(limit: 2, count: 1).count == 1)
        #expect(lookup.proposals(limit: 0, count: 4).isEmpty && lookup.proposals(limit: 2, count: 0).isEmpty)
        #expect(lookup.proposals(after: [5], limit: 1, count: 4) == [.init(tokens: [6], matchLength: 3)])
        #expect(
            lookup.proposals(after: [8, 9, 2, 3], limit: 2, count: 9) == [
                .init(tokens: [5, 6], matchLength: 3), .init(tokens: [4, 9], matchLength: 2),
            ])
        #expect(lookup.proposals(after: [8], limit: 2, count: 4).isEmpty)
        for limit in 1...6 {
            #expect(lookup.proposals(limit: limit, count: 4).first == lookup.propose(limit: limit))
        }
    }

    @Test("A history that was taken back leaves no trace")
    func rollback() {
        var lookup = PromptLookup()
        lookup.update([7, 8, 5, 5, 7, 8])
        #expect(lookup.propose(limit: 1)?.tokens == [5])
        lookup.update([7, 8, 6, 7, 8])
        #expect(lookup.propose(limit: 1)?.tokens == [6])
    }

    @Test("A repetition is continued beyond the end of the history")
    func repetition() {
        var lookup = PromptLookup()
        lookup.update([3, 1, 2, 1, 2])
        #expect(lookup.propose(limit: 5) == .init(tokens: [1, 2, 1, 2, 1], matchLength: 2))
    }
}
