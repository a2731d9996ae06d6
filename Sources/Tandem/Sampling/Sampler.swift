// SPDX-License-Identifier: Apache-2.0

package import CTandemKernels
package import TandemGrammar
package import TandemTokenizer

/// Turns logits into the distribution that ``SamplingParameters`` ask for.
///
/// Pure: the same logits and history give the same distribution, whichever model made the logits.
///
/// Thread safety: none; a sampler belongs to one generation.
@safe
package struct Sampler {
    package let parameters: SamplingParameters
    let kernels: tk_kernels
    var scratch: [Float] = []
    /// How often penalties count each token; 0 between two distributions.
    private var occurrences: [Int32] = []
    private var candidates: [Candidate] = []
    /// The mask that the last distribution under a grammar needed.
    var appliedMask: TokenMask?

    package init(parameters: SamplingParameters, kernels: tk_kernels) {
        self.parameters = parameters
        unsafe self.kernels = kernels
    }

    private struct Candidate {
        var logit: Float
        var id: TokenID

        /// More probable first; of equals the lower id.
        static func precedes(_ a: Candidate, _ b: Candidate) -> Bool {
            a.logit > b.logit || (a.logit == b.logit && a.id < b.id)
        }
    }

    /// The distribution after `history` (tokens so far, the newest last).
    ///
    /// - Parameters:
    ///   - logits: `vocabularySize` values; not changed. NaN counts as impossible.
    ///   - history: what penalties look back at.
    ///   - mask: the tokens that are allowed, at least one of the vocabulary; the others are impossible before anything
    ///     else is done. nil = all.
    /// Complexity: O(V) when greedy or unfiltered, O(V log k) with top-k, O(V log V) with top-p alone.
    package mutating func distribution(
        logits: UnsafePointer<Float>, vocabularySize: Int, history: [TokenID], mask: TokenMask? = nil
    ) -> Distribution {
        if mask == nil && parameters.isGreedy && !parameters.hasPenalties {
            return .point(TokenID(unsafe kernels.argmax(logits, vocabularySize)))
        }
        unsafe copy(logits, count: vocabularySize)
        if let mask {
            mask.apply(to: &scratch)
            if !scratch.contains(where: { $0 > -.infinity }) {
                // Only impossible tokens are allowed: the first of them.
                return .point(mask.first(below: vocabularySize) ?? 0)
            }
        }
        applyPenalties(history)
        if parameters.isGreedy {
            return unsafe scratch.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return .point(0) }
                return .point(TokenID(unsafe kernels.argmax(base, vocabularySize)))
            }
        }
        return filtered()
    }

    /// Copies logits into `scratch`, what is no number as impossible.
    @inline(never)
    private mutating func copy(_ logits: UnsafePointer<Float>, count: Int) {
        if scratch.count != count { scratch = [Float](repeating: 0, count: count) }
        unsafe scratch.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for index in 0..<count {
                let logit = unsafe logits[index]
                unsafe base[index] = logit == logit ? logit : -.infinity
            }
        }
    }

    mutating func applyPenalties(_ history: [TokenID]) {
        guard parameters.hasPenalties else { return }
        let window = parameters.repeatLastN < 0 ? history.count : min(parameters.repeatLastN, history.count)
        let recent = history[(history.count - window)...]
        if occurrences.count < scratch.count { occurrences = [Int32](repeating: 0, count: scratch.count) }
        for token in recent where Int(token) < scratch.count && token >= 0 {
            occurrences[Int(token)] += 1
        }
        for token in recent where Int(token) < scratch.count && token >= 0 {
            let count = occurrences[Int(token)]
            guard count > 0 else { continue }
            occurrences[Int(token)] = 0
            var logit = scratch[Int(token)]
            logit = logit <= 0 ? logit * parameters.repeatPenalty : logit / parameters.repeatPenalty
            logit -= Float(count) * parameters.frequencyPenalty + parameters.presencePenalty
            scratch[Int(token)] = logit
        }
    }

    /// Top-k, top-p, min-p and temperature over `scratch`.
    private mutating func filtered() -> Distribution {
        var best = -Float.infinity
        for logit in scratch { best = max(best, logit) }
        guard best.isFinite else {
            // All -inf (or NaN), or a +inf: no softmax exists; the first of the greatest it is.
            return .point(TokenID(scratch.firstIndex(of: best) ?? 0))
        }
        let noFilter =
            (parameters.topK == 0 || parameters.topK >= scratch.count) && parameters.topP >= 1
            && parameters.minP <= 0
        if noFilter {
            softmax(&scratch, inverseTemperature: parameters.inverseTemperature)
            return .sparse(ids: (0..<scratch.count).map(TokenID.init), probabilities: scratch)
        }

        selectCandidates(best: best)
        let kept = keptCount()
        candidates.removeSubrange(kept...)
        candidates.sort { $0.id < $1.id }
        var probabilities = candidates.map(\.logit)
        softmax(&probabilities, inverseTemperature: parameters.inverseTemperature)
        return .sparse(ids: candidates.map(\.id), probabilities: probabilities)
    }

    /// Fills `candidates` with every token that top-k leaves, the most probable first.
    private mutating func selectCandidates(best: Float) {
        let limit = parameters.topK == 0 ? scratch.count : min(parameters.topK, scratch.count)
        // Without top-p the order of the filters does not matter: min-p first spares the sorting.
        var floor = max(parameters.topP >= 1 ? minPFloor(best) : -.infinity, -Float.greatestFiniteMagnitude)
        candidates.removeAll(keepingCapacity: true)
        if limit < scratch.count / 8 {
            // A heap of the best `limit`, the least of them at the root.
            for (index, logit) in scratch.enumerated() where logit >= floor {
                let candidate = Candidate(logit: logit, id: TokenID(index))
                if candidates.count < limit {
                    candidates.append(candidate)
                    siftUp(candidates.count - 1)
                } else if Candidate.precedes(candidate, candidates[0]) {
                    candidates[0] = candidate
                    siftDown(0)
                }
                // What is less than the least of a full heap has no place in it.
                if candidates.count == limit { floor = max(floor, candidates[0].logit) }
            }
            candidates.sort(by: Candidate.precedes)
        } else {
            for (index, logit) in scratch.enumerated() where logit >= floor {
                candidates.append(Candidate(logit: logit, id: TokenID(index)))
            }
            candidates.sort(by: Candidate.precedes)
            if candidates.count > limit { candidates.removeSubrange(limit...) }
        }
    }

    /// The least logit that min-p keeps: p >= minP * pmax  <=>  logit >= max + log(minP).
    private func minPFloor(_ best: Float) -> Float {
        guard parameters.minP > 0 else { return -.infinity }
        return min(best, best + Float(tk_log_ref(Double(parameters.minP))))
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard Candidate.precedes(candidates[parent], candidates[child]) else { return }
            candidates.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            let left = 2 * parent + 1
            guard left < candidates.count else { return }
            var worst = parent
            for child in left..<min(left + 2, candidates.count)
            where Candidate.precedes(candidates[worst], candidates[child]) { worst = child }
            if worst == parent { return }
            candidates.swapAt(parent, worst)
            parent = worst
        }
    }

    /// How many of the sorted candidates top-p and min-p keep, over the probabilities that top-k leaves
    /// (temperature 1). At least one.
    private func keptCount() -> Int {
        var kept = candidates.count
        if parameters.topP < 1 {
            var probabilities = candidates.map(\.logit)
            softmax(&probabilities, inverseTemperature: 1)
            var cumulative: Float = 0
            for (index, probability) in probabilities.enumerated() {
                cumulative += probability
                if cumulative >= parameters.topP {
                    kept = index + 1
                    break
                }
            }
        }
        let floor = minPFloor(candidates[0].logit)
        while kept > 1 && candidates[kept - 1].logit < floor { kept -= 1 }
        return kept
    }

    private func softmax(_ values: inout [Float], inverseTemperature: Float) {
        unsafe values.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, !buffer.isEmpty else { return }
            unsafe kernels.softmax(base, buffer.count, inverseTemperature)
        }
    }
}
