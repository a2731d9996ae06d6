// SPDX-License-Identifier: Apache-2.0

package import CTandemKernels
package import TandemTokenizer

/// The logarithm of a token's probability, and the most probable tokens of the same place.
package struct TokenScore: Sendable, Equatable {
    /// Natural logarithm of the probability; at most 0.
    package let logprob: Float
    /// The most probable tokens, the best first; of equals the lower id first.
    package let top: [Alternative]

    package struct Alternative: Sendable, Equatable {
        package let id: TokenID
        package let logprob: Float
    }
}

/// Measures tokens by the raw distribution of a row of logits: the softmax of all of them at temperature 1, before
/// penalties and filters.
///
/// The same bits on every machine: the kernels' own softmax gives the sum (16 striped lanes, a fixed tree), relative to
/// the greatest logit, and its logarithm is taken in double.
///
/// Edge cases: NaN counts as impossible (-inf), as it does for ``Sampler``. Of logits that are +inf the first has all
/// probability. Where all are -inf, so are all results.
///
/// Thread safety: none; a scorer belongs to one generation.
@safe
package struct TokenScorer {
    /// How many of the most probable tokens are told of.
    package let alternatives: Int
    private let kernels: tk_kernels
    private var scratch: [Float] = []

    package init(alternatives: Int, kernels: tk_kernels) {
        self.alternatives = alternatives
        unsafe self.kernels = kernels
    }

    /// The score of `token` among `vocabularySize` logits, which stay as they are. O(V) unless the logits ascend.
    package mutating func score(_ token: TokenID, logits: UnsafePointer<Float>, vocabularySize: Int)
        -> TokenScore
    {
        scratch.removeAll(keepingCapacity: true)
        unsafe scratch.append(contentsOf: UnsafeBufferPointer(start: logits, count: vocabularySize))
        for index in scratch.indices where scratch[index].isNaN { scratch[index] = -.infinity }
        let best = mostProbable(max(1, alternatives))
        guard let first = best.first else { return TokenScore(logprob: -.infinity, top: []) }
        let own = Int(token) < vocabularySize && token >= 0 ? scratch[Int(token)] : -.infinity
        let scale = Scale(greatest: first, logarithm: logarithmOfSum(first))
        return TokenScore(
            logprob: scale.logprob(id: token, logit: own),
            top: best.prefix(alternatives).map {
                TokenScore.Alternative(id: $0.id, logprob: scale.logprob(id: $0.id, logit: $0.logit))
            })
    }

    private struct Candidate {
        let id: TokenID
        let logit: Float
    }

    /// Turns logits into logarithms of probabilities.
    private struct Scale {
        let greatest: Candidate
        /// log Σ exp(logit - greatest)
        let logarithm: Double

        func logprob(id: TokenID, logit: Float) -> Float {
            guard greatest.logit.isFinite else {
                return greatest.logit == .infinity && id == greatest.id ? 0 : -.infinity
            }
            return Float(min(0, Double(logit) - Double(greatest.logit) - logarithm))
        }
    }

    private func mostProbable(_ count: Int) -> [Candidate] {
        var best: [Candidate] = []
        best.reserveCapacity(count + 1)
        var least = -Float.infinity
        for (index, logit) in scratch.enumerated() where best.count < count || logit > least {
            let place = best.firstIndex { $0.logit < logit } ?? best.endIndex
            best.insert(Candidate(id: TokenID(index), logit: logit), at: place)
            if best.count > count { best.removeLast() }
            if best.count == count { least = best[count - 1].logit }
        }
        return best
    }

    /// Overwrites `scratch`.
    private mutating func logarithmOfSum(_ greatest: Candidate) -> Double {
        guard greatest.logit.isFinite else { return 0 }
        unsafe scratch.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe kernels.softmax(base, buffer.count, 1)
        }
        // The greatest one's weight before normalisation is exp(0) = 1, so its probability is 1 / Σ.
        return -tk_log_ref(Double(scratch[Int(greatest.id)]))
    }
}
