// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

/// A probability distribution over the vocabulary, in one of two forms.
package enum Distribution {
    /// All mass on one token (greedy).
    case point(TokenID)
    /// Tokens with their probabilities (sum 1 up to rounding), in ascending order of id; every other token has 0.
    case sparse(ids: [TokenID], probabilities: [Float])

    /// Probability of one token. O(log n).
    package func probability(of token: TokenID) -> Float {
        switch self {
        case .point(let only):
            return only == token ? 1 : 0
        case .sparse(let ids, let probabilities):
            var low = 0
            var high = ids.count
            while low < high {
                let middle = (low + high) / 2
                if ids[middle] < token { low = middle + 1 } else { high = middle }
            }
            return low < ids.count && ids[low] == token ? probabilities[low] : 0
        }
    }

    /// Draws a token with one random number (none for a point).
    package func sample(using generator: inout SeededGenerator) -> TokenID {
        switch self {
        case .point(let only):
            return only
        case .sparse(let ids, let probabilities):
            return Self.draw(ids: ids, weights: probabilities.map(Double.init), using: &generator)
        }
    }

    /// Draws from `normalise(max(0, self - other))`: the correction after a rejected draft token.
    ///
    /// Where nothing is left (both distributions are equal up to rounding) it draws from `self`.
    package func sampleResidual(minus other: Distribution, using generator: inout SeededGenerator) -> TokenID
    {
        guard case .sparse(let ids, let probabilities) = self else { return sample(using: &generator) }
        var weights = [Double](repeating: 0, count: ids.count)
        var total = 0.0
        for index in ids.indices {
            let rest = Double(probabilities[index]) - Double(other.probability(of: ids[index]))
            weights[index] = max(0, rest)
            total += weights[index]
        }
        guard total > 0 else { return sample(using: &generator) }
        return Self.draw(ids: ids, weights: weights, using: &generator)
    }

    private static func draw(ids: [TokenID], weights: [Double], using generator: inout SeededGenerator)
        -> TokenID
    {
        var total = 0.0
        for weight in weights { total += weight }
        let target = generator.uniform() * total
        var cumulative = 0.0
        var last = ids[0]
        for index in ids.indices where weights[index] > 0 {
            cumulative += weights[index]
            last = ids[index]
            if target < cumulative { return last }
        }
        return last
    }
}
