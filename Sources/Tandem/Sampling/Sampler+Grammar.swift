// SPDX-License-Identifier: Apache-2.0

internal import TandemGrammar
internal import TandemTokenizer

extension Sampler {
    /// The distribution over the tokens that a grammar allows; nil when it allows none of the vocabulary.
    ///
    /// Greedy and without penalties, the most probable token of all is tried first: where it is allowed it is also the most
    /// probable of those allowed, and nobody needs to know the others.
    /// - Throws: ``TandemError/grammar(_:)`` for a grammar that is too ambiguous.
    mutating func distribution(
        logits: UnsafePointer<Float>, vocabularySize: Int, history: [TokenID],
        under constraint: TokenConstraint
    ) throws(TandemError) -> Distribution? {
        appliedMask = nil
        if parameters.isGreedy && !parameters.hasPenalties {
            let best = unsafe distribution(logits: logits, vocabularySize: vocabularySize, history: history)
            if case .point(let token) = best, try constraint.allows(token) { return best }
        }
        let mask = try constraint.mask()
        guard mask.first(below: vocabularySize) != nil else { return nil }
        appliedMask = mask
        return unsafe distribution(
            logits: logits, vocabularySize: vocabularySize, history: history, mask: mask)
    }
}

extension TokenMask {
    /// Makes the logits of all tokens that are not allowed −∞.
    func apply(to logits: inout [Float]) {
        for (place, word) in words.enumerated() where word != UInt64.max {
            let first = place * 64
            guard first < logits.count else { return }
            if word == 0 {
                for index in first..<min(first + 64, logits.count) { logits[index] = -.infinity }
                continue
            }
            for index in first..<min(first + 64, logits.count) where word >> UInt64(index - first) & 1 == 0 {
                logits[index] = -.infinity
            }
        }
    }
}
