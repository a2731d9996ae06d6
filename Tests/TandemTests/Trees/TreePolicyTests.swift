// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

/// A text and two models that exist only as numbers: which of the secondary's candidates the primary takes, if any.
private struct TreeScene {
    /// Seconds of a primary pass over one row, of one more row, of one step of the secondary and of one more row of it.
    var base = 1.0
    var marginal: Double
    var draft: Double
    var draftRow: Double
    var generator = SeededGenerator(seed: 11)

    /// Weights of the candidates after a node; each is taken as often as it weighs.
    mutating func candidates() -> [DraftCandidate] {
        var left = 1.0
        let first = 0.3 + 0.65 * generator.uniform()
        return (0..<5).map { rank in
            let weight = left * (rank == 0 ? first : 0.55)
            left -= weight
            return DraftCandidate(token: Int32(rank), weight: weight)
        }
    }

    /// The candidate that the primary takes; 99 = another token.
    mutating func taken(of candidates: [DraftCandidate]) -> Int32 {
        var target = generator.uniform()
        for candidate in candidates {
            target -= candidate.weight
            if target < 0 { return candidate.token }
        }
        return 99
    }

    struct Outcome {
        var tokens = 0
        var seconds = 0.0
        var passes = 0
        var nodes = 0
        var depth = 0
        var rate: Double { Double(tokens) / seconds }
        var tokensPerPass: Double { Double(tokens) / Double(passes) }
        var nodesPerPass: Double { Double(nodes) / Double(passes) }
    }

    /// Runs passes for at least `tokens` tokens.
    mutating func run(_ policy: inout DraftPolicy, tokens: Int) -> Outcome {
        var outcome = Outcome()
        while outcome.tokens < tokens {
            var pass = policy.begin(room: 20, nodes: policy.nodeLimit)
            var pool = DraftPool(root: 0)
            var answers: [Int: Int32] = [:]
            while true {
                let nodes = policy.expansions(pool, pass, room: 64)
                guard !nodes.isEmpty else { break }
                for node in nodes {
                    let found = candidates()
                    answers[node] = taken(of: found)
                    pool.expand(
                        node, policy.chances.judge(found, depth: pool.tree.depths[node]), endTokens: [])
                }
                let seconds = draft + draftRow * Double(nodes.count - 1)
                outcome.seconds += seconds
                policy.recordDraft(seconds: seconds, rows: nodes.count, in: &pass)
            }
            let (tree, origins) = pool.tree.depthFirst(policy.choose(pool, pass))
            var path = [0]
            var next: Int32 = 99
            while true {
                let node = path[path.count - 1]
                next = answers[origins[node]] ?? 99
                guard let child = tree.child(of: node, token: next) else { break }
                path.append(child)
            }
            let seconds = base + marginal * Double(tree.count - 1)
            policy.learn(pool, path: path.map { origins[$0] }, next: next)
            policy.record(
                pass, drafted: tree.count - 1, accepted: path.count - 1,
                PassMeasure(rows: tree.count, seconds: seconds))
            outcome.seconds += seconds
            outcome.tokens += path.count
            outcome.passes += 1
            outcome.nodes += tree.count - 1
            outcome.depth += tree.length - 1
        }
        return outcome
    }
}

@Suite("Trees: policy") struct TreePolicyTests {
    private func outcome(_ scene: TreeScene, nodes: Int) -> TreeScene.Outcome {
        var scene = scene
        var policy = DraftPolicy(limits: 0...20, nodes: nodes)
        _ = scene.run(&policy, tokens: 1500)
        return scene.run(&policy, tokens: 4000)
    }

    @Test("where a pass reads the weights from storage, more nodes give more tokens per pass and per second")
    func storage() {
        let scene = TreeScene(marginal: 0.0005, draft: 0.01, draftRow: 0.0005)
        let outcomes = [1, 4, 16, 64].map { outcome(scene, nodes: $0) }
        for (small, large) in zip(outcomes, outcomes.dropFirst()) {
            #expect(large.tokensPerPass > 1.1 * small.tokensPerPass)
            #expect(large.rate > small.rate)
        }
        #expect(outcomes[3].nodesPerPass > 50)
        #expect(outcomes[3].tokensPerPass > 4.5)
    }

    @Test(
        "where rows are dear, a tree is a chain with a leaf here and there, and no slower than a smaller one")
    func memory() {
        let scene = TreeScene(marginal: 0.08, draft: 0.1, draftRow: 0.01)
        let outcomes = [6, 24, 64].map { outcome(scene, nodes: $0) }
        #expect(outcomes[2].nodesPerPass < 12)
        for other in outcomes { #expect(outcomes[2].rate > 0.97 * other.rate) }
        #expect(outcomes[2].rate > 1.5, "the primary alone makes 1")
    }

    @Test("trees where steps and rows cost little beside a pass, else chains")
    func choice() {
        func growsTree(draft: Double, row: Double, limits: ClosedRange<Int> = 0...16, room: Int = 9) -> Bool {
            var policy = DraftPolicy(
                limits: limits, nodes: 16, costs: PassCosts(draftOverPass: draft, rowOverPass: row))
            return policy.growsTree(policy.begin(room: room, nodes: 12))
        }
        #expect(growsTree(draft: 0, row: 0))
        #expect(growsTree(draft: 0.02, row: 0.005))
        #expect(!growsTree(draft: 0.2, row: 0.005))
        #expect(!growsTree(draft: 0.02, row: 0.1))
        #expect(!growsTree(draft: 0, row: 0, limits: 5...5))
        #expect(!growsTree(draft: 0, row: 0, room: 0))
    }

    @Test("where nothing pays, next to nothing is drafted")
    func hopeless() {
        let found = outcome(TreeScene(marginal: 0.6, draft: 0.9, draftRow: 0.3), nodes: 16)
        #expect(found.rate > 0.95)
        #expect(found.nodesPerPass < 0.3)
    }

    @Test("a least number of drafts is a path of that length")
    func least() {
        var scene = TreeScene(marginal: 0.6, draft: 0.9, draftRow: 0.3)
        var policy = DraftPolicy(limits: 3...20, nodes: 16)
        let found = scene.run(&policy, tokens: 2000)
        #expect(found.depth >= 3 * found.passes)
    }
}
