// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem
import TandemTokenizer
import Testing

/// Chances of candidates are those with which they are taken, once enough were.
@Suite("Trees: chances") struct TreeChancesTests {
    /// A primary that takes candidates as their weights to the power of `exponent` say, or with probability `missing` none.
    private struct Primary {
        let exponent: Double
        let missing: Double
        var generator = SeededGenerator(seed: 21)

        mutating func candidates() -> [DraftCandidate] {
            var left = 1.0
            let first = 0.15 + 0.8 * generator.uniform()
            return (0..<6).map { rank in
                let weight = left * (rank == 0 ? first : 0.5)
                left -= weight
                return DraftCandidate(token: Int32(rank), weight: weight)
            }.sorted { $0.weight > $1.weight }
        }

        mutating func taken(of candidates: [DraftCandidate]) -> TokenID {
            if generator.uniform() < missing { return 99 }
            let powers = candidates.map { pow($0.weight, exponent) }
            var target = generator.uniform() * powers.reduce(0, +)
            for (candidate, power) in zip(candidates, powers) {
                target -= power
                if target < 0 { return candidate.token }
            }
            return candidates[candidates.count - 1].token
        }
    }

    @Test("the exponent is found, from either start", arguments: [0.8, 1.5, 3.0], [false, true])
    func exponent(_ exponent: Double, isSampled: Bool) {
        var chances = TreeChances(isSampled: isSampled)
        var primary = Primary(exponent: exponent, missing: 0.1)
        for _ in 0..<1500 {
            let candidates = primary.candidates()
            var pool = DraftPool(root: 0)
            pool.expand(0, chances.judge(candidates, depth: 0), endTokens: [])
            chances.learn(pool, path: [0], next: primary.taken(of: candidates), weight: 1)
        }
        #expect(abs(chances.exponent - exponent) < 0.3, "\(chances.exponent)")
        // What is promised now is kept.
        var promised = [Double](repeating: 0, count: 6)
        var kept = promised
        for _ in 0..<4000 {
            let candidates = primary.candidates()
            let judged = chances.judge(candidates, depth: 0)
            #expect(judged.reduce(0) { $0 + $1.chance } <= 1)
            let token = primary.taken(of: candidates)
            for (rank, candidate) in judged.enumerated() {
                promised[rank] += candidate.chance
                if candidate.token == token { kept[rank] += 1 }
            }
        }
        for rank in 0..<6 {
            #expect(
                abs(kept[rank] - promised[rank]) < 0.06 * 4000,
                "rank \(rank): \(kept[rank]) of \(promised[rank])")
        }
    }

    @Test("a router's estimate is the best candidate's chance, once it has proved right")
    func estimates() {
        var chances = TreeChances()
        let candidates = [0.5, 0.3, 0.1].enumerated().map {
            DraftCandidate(token: Int32($0.offset), weight: $0.element)
        }
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<800 {
            for estimate in [0.35, 0.9] {
                var pool = DraftPool(root: 0)
                pool.expand(0, chances.judge(candidates, depth: 0, estimate: estimate), endTokens: [])
                let next: TokenID = generator.uniform() < estimate ? 0 : 1
                chances.learn(pool, path: [0], next: next, weight: 1)
            }
        }
        for estimate in [0.35, 0.9] {
            let judged = chances.judge(candidates, depth: 0, estimate: estimate)
            #expect(abs(judged[0].chance - estimate) < 0.1, "\(judged[0].chance) of \(estimate)")
            #expect(judged[0].chance + judged[1].chance + judged[2].chance <= 1)
            #expect(judged[1].chance > judged[2].chance)
        }
    }

    @Test("weights that are no use give no chance above 1", arguments: [0, Double.nan, .infinity, -1])
    func edges(_ weight: Double) {
        var chances = TreeChances()
        #expect(chances.judge([], depth: 3).isEmpty)
        let judged = chances.judge(
            [DraftCandidate(token: 1, weight: weight), DraftCandidate(token: 2, weight: 0.1)], depth: 3)
        for entry in judged { #expect(entry.chance >= 0 && entry.chance < 1) }
        for estimate in [0, 1, Double.nan] {
            let judged = chances.judge(
                [DraftCandidate(token: 1, weight: 1)], depth: 0, estimate: estimate)
            #expect(judged[0].chance >= 0 && judged[0].chance < 1)
        }
    }
}
