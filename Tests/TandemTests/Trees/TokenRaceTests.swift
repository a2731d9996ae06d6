// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

/// Tokens drawn by a race follow their distribution, and are independent from place to place and seed to seed.
@Suite("Races of tokens") struct TokenRaceTests {
    static let distribution = Distribution.sparse(
        ids: [1, 4, 5, 9, 300], probabilities: [0.45, 0.3, 0.2, 0, 0.05])
    static let shares = [0.45, 0.3, 0.2, 0, 0.05]

    private func place(of token: TokenID) -> Int { [1, 4, 5, 9, 300].firstIndex(of: token) ?? 3 }

    @Test("winners follow the probabilities, over places and over seeds")
    func winners() {
        var byPlace = [Int](repeating: 0, count: 5)
        var bySeed = byPlace
        for index in 0..<40_000 {
            byPlace[place(of: TokenRace(seed: 3, place: index).winner(Self.distribution))] += 1
            bySeed[place(of: TokenRace(seed: UInt64(index), place: 2).winner(Self.distribution))] += 1
        }
        #expect(ChiSquare(counts: byPlace, probabilities: Self.shares).pValue > 1e-4)
        #expect(ChiSquare(counts: bySeed, probabilities: Self.shares).pValue > 1e-4)
    }

    @Test("neighbouring places and seeds have nothing in common")
    func independence() {
        let uniform = Distribution.sparse(ids: [0, 1, 2, 3], probabilities: [0.25, 0.25, 0.25, 0.25])
        for (places, seeds) in [(1, 0), (0, 1), (2, 0), (1, 1)] {
            var counts = [Int](repeating: 0, count: 16)
            for index in 0..<32_000 {
                let first = TokenRace(seed: UInt64(index % 7), place: index).winner(uniform)
                let second = TokenRace(seed: UInt64(index % 7 + seeds), place: index + places).winner(uniform)
                counts[Int(first) * 4 + Int(second)] += 1
            }
            let result = ChiSquare(counts: counts, probabilities: [Double](repeating: 1 / 16, count: 16))
            #expect(result.pValue > 1e-4, "\(places), \(seeds): \(result)")
        }
    }

    @Test("the first to arrive come in order, the winner first, and the impossible never")
    func order() {
        for index in 0..<2000 {
            let race = TokenRace(seed: 8, place: index)
            let all = race.first(9, of: Self.distribution)
            #expect(Set(all.map(\.token)) == [1, 4, 5, 300])
            #expect(all.map(\.time) == all.map(\.time).sorted())
            #expect(race.winner(Self.distribution) == all[0].token)
            for count in 1...3 {
                #expect(race.first(count, of: Self.distribution) == Array(all.prefix(count)))
            }
        }
        #expect(TokenRace(seed: 1, place: 0).winner(.point(6)) == 6)
        #expect(TokenRace(seed: 1, place: 0).first(0, of: Self.distribution).isEmpty)
    }

    /// Two runners' winners agree at least as often as (1 − TV) / (1 + TV), on average over the race.
    @Test("like distributions have like winners")
    func coupling() {
        let p = Distribution.sparse(ids: [0, 1, 2], probabilities: [0.6, 0.3, 0.1])
        let q = Distribution.sparse(ids: [0, 1, 2], probabilities: [0.4, 0.4, 0.2])
        var agreed = 0
        var inFront = 0
        let count = 20_000
        for index in 0..<count {
            let race = TokenRace(seed: 5, place: index)
            let token = race.winner(p)
            if race.winner(q) == token { agreed += 1 }
            if race.first(2, of: q).contains(where: { $0.token == token }) { inFront += 1 }
        }
        #expect(Double(agreed) / Double(count) > 0.8 / 1.2)
        #expect(Double(inFront) / Double(count) > 0.95)
    }
}
