// SPDX-License-Identifier: Apache-2.0

import Tandem

/// Rules of accepting drafts, one right and the others wrong on purpose.
enum SpeculationRule: CaseIterable, Sendable {
    case correct
    /// After a rejection draws from the primary's distribution instead of the residual.
    case resampleFromPrimary
    /// Compares the draft's probability with itself: accepts everything.
    case compareWithSecondary
    /// Accepts where both models rank the draft first, as if sampling were greedy.
    case acceptMostProbable
}

/// All sequences of four tokens after a prompt, with both models' sampling distributions after every prefix.
struct NaiveSpeculation {
    private let size: Int
    /// By prefix of generated tokens (as digits of base `size`, one table per length).
    private var truth: [[[Double]]] = []
    private var proposal: [[[Double]]] = []
    /// Probability of the second to fourth generated tokens, as digits of base `size`.
    private(set) var exact: [Double] = []

    init(_ recipe: ModelRecipe, parameters: SamplingParameters, prompt: [Int32]) throws {
        let models = NaiveTandem(try RandomModel(recipe))
        size = recipe.primary.vocabulary
        var prefixes: [[Int32]] = [[]]
        for _ in 0..<4 {
            truth.append(
                prefixes.map { prefix in
                    let tokens = prompt + prefix
                    return naiveDistribution(
                        models.primaryLogits(tokens).last ?? [], parameters, history: tokens)
                })
            proposal.append(
                prefixes.map { prefix in
                    let tokens = prompt + prefix
                    // The first generated token opens the block.
                    let logits = models.secondaryLogits(tokens) { min($0, prompt.count) }
                    return naiveDistribution(logits.last ?? [], parameters, history: tokens)
                })
            prefixes = prefixes.flatMap { prefix in (0..<Int32(size)).map { prefix + [$0] } }
        }
        exact = [Double](repeating: 0, count: size * size * size)
        for (index, prefix) in prefixes.enumerated() {
            var probability = 1.0
            var node = 0
            for (depth, token) in prefix.enumerated() {
                probability *= truth[depth][node][Int(token)]
                node = node * size + Int(token)
            }
            exact[index % exact.count] += probability
        }
    }

    /// Counts of the second to fourth tokens when drafts of up to three tokens are accepted by `rule`.
    func sample(_ count: Int, rule: SpeculationRule, seed: UInt64) -> [Int] {
        var random = TestRandom(seed: seed)
        var counts = [Int](repeating: 0, count: exact.count)
        for _ in 0..<count {
            var node = random.index(weights: truth[0][0])
            var depth = 1
            while depth < 4 {
                let drafted = random.index(weights: proposal[depth][node])
                let p = truth[depth][node]
                let q = proposal[depth][node]
                let token: Int
                if accepts(rule, p, q, drafted, &random) {
                    token = drafted
                } else if rule == .resampleFromPrimary {
                    token = random.index(weights: p)
                } else {
                    let rest = zip(p, q).map { max(0, $0 - $1) }
                    let sum = rest.reduce(0, +)
                    token = sum > 0 ? random.index(weights: rest.map { $0 / sum }) : random.index(weights: p)
                }
                node = node * size + token
                depth += 1
            }
            counts[node % exact.count] += 1
        }
        return counts
    }

    private func accepts(
        _ rule: SpeculationRule, _ p: [Double], _ q: [Double], _ token: Int, _ random: inout TestRandom
    ) -> Bool {
        switch rule {
        case .correct, .resampleFromPrimary: random.uniform() * q[token] < p[token]
        case .compareWithSecondary: random.uniform() * q[token] < q[token]
        case .acceptMostProbable: naiveBest(p) == Int32(token)
        }
    }
}
