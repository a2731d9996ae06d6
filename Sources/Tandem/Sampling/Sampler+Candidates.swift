// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemGrammar
package import TandemTokenizer

extension Sampler {
    /// Tokens less sure than this are no candidates.
    private static let leastWeight: Float = 0.002

    /// The tokens that another model with nearly these logits is most likely to choose, the likeliest first: when greedy
    /// the most probable ones, else those that arrive first in `race`.
    ///
    /// Weights are probabilities when greedy. Else they are what the candidates would share one by the inverse of their
    /// times: near 1 where one is far ahead.
    /// Complexity: O(V).
    package mutating func candidates(
        logits: UnsafePointer<Float>, vocabularySize: Int, history: [TokenID], race: TokenRace, limit: Int
    ) -> [DraftCandidate] {
        if parameters.isGreedy {
            return unsafe mostProbable(
                logits: logits, vocabularySize: vocabularySize, history: history, limit: limit)
        }
        let distribution = unsafe distribution(
            logits: logits, vocabularySize: vocabularySize, history: history)
        return Self.front(of: distribution, race: race, limit: limit)
    }

    private static func front(of distribution: Distribution, race: TokenRace, limit: Int) -> [DraftCandidate]
    {
        let front = race.first(limit, of: distribution)
        // A time of 0 is a token that nothing can overtake.
        let speeds = front.map { 1 / max($0.time, .leastNormalMagnitude) }
        let sum = speeds.reduce(0, +)
        return zip(front, speeds).map {
            DraftCandidate(token: $0.token, weight: sum.isFinite ? $1 / sum : 1)
        }
    }

    /// The same of the tokens that a grammar allows. When greedy, those of the most probable of all that it allows; only
    /// where it allows none of them the others are looked at.
    /// - Throws: ``TandemError/grammar(_:)`` for a grammar that is too ambiguous.
    mutating func candidates(
        logits: UnsafePointer<Float>, vocabularySize: Int, history: [TokenID], race: TokenRace, limit: Int,
        under constraint: TokenConstraint
    ) throws(TandemError) -> [DraftCandidate] {
        guard !constraint.mustEnd else { return [] }
        if parameters.isGreedy {
            var allowed: [DraftCandidate] = []
            for candidate in unsafe mostProbable(
                logits: logits, vocabularySize: vocabularySize, history: history, limit: limit)
            where try constraint.allows(candidate.token) {
                allowed.append(candidate)
            }
            if !allowed.isEmpty { return allowed }
            let mask = try constraint.mask()
            guard mask.first(below: vocabularySize) != nil else { return [] }
            return unsafe mostProbable(
                logits: logits, vocabularySize: vocabularySize, history: history, limit: limit, mask: mask)
        }
        let distribution = try unsafe distribution(
            logits: logits, vocabularySize: vocabularySize, history: history, under: constraint)
        return distribution.map { Self.front(of: $0, race: race, limit: limit) } ?? []
    }

    private mutating func mostProbable(
        logits: UnsafePointer<Float>, vocabularySize: Int, history: [TokenID], limit: Int,
        mask: TokenMask? = nil
    ) -> [DraftCandidate] {
        scratch.removeAll(keepingCapacity: true)
        unsafe scratch.append(contentsOf: UnsafeBufferPointer(start: logits, count: vocabularySize))
        mask?.apply(to: &scratch)
        if parameters.hasPenalties { applyPenalties(history) }
        var front: [DraftCandidate] = []
        unsafe scratch.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, limit > 0 else { return }
            unsafe kernels.softmax(base, buffer.count, 1)
            var floor = Self.leastWeight
            for index in 0..<buffer.count where unsafe base[index] > floor {
                let weight = unsafe Double(base[index])
                var place = front.count
                while place > 0, weight > front[place - 1].weight { place -= 1 }
                front.insert(DraftCandidate(token: TokenID(index), weight: weight), at: place)
                if front.count > limit { front.removeLast() }
                if front.count == limit, let last = front.last { floor = Float(last.weight) }
            }
        }
        return front
    }
}
