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
}
