// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels

/// What a router looks at: the entropy of a distribution, its largest probabilities and the embeddings of their tokens, each
/// times its probability.
@safe
struct RouterInputs {
    /// Tokens with their probabilities, the most probable first, of equals the lower id.
    private var largest: [(token: Int, probability: Float)] = []

    /// Writes the inputs in front of `scratch` [``RouterWeights/scratchCount``]: entropy in nats, probabilities, weighted
    /// embedding rows.
    ///
    /// - Parameters:
    ///   - probabilities: softmax of `logits` [the router's vocabulary].
    /// Complexity: O(vocabulary), plus O(k) for each of the few tokens that enter the list.
    mutating func write(
        probabilities: UnsafePointer<Float>, logits: UnsafePointer<Float>, router: RouterWeights,
        embedding: Matrix, into scratch: UnsafeMutablePointer<Float>
    ) {
        let count = router.vocabularySize
        unsafe selectLargest(router.topCount, of: probabilities, count: count)
        unsafe scratch[0] = unsafe entropy(probabilities, logits, count: count)
        for index in 0..<router.topCount {
            let row = unsafe scratch + 1 + router.topCount + index * router.width
            let probability = index < largest.count ? largest[index].probability : 0
            unsafe scratch[1 + index] = probability
            if probability > 0 {
                unsafe embedding.gatherRow(largest[index].token, into: row)
                for element in 0..<router.width { unsafe row[element] *= probability }
            } else {
                unsafe row.update(repeating: 0, count: router.width)
            }
        }
    }

    private mutating func selectLargest(_ limit: Int, of values: UnsafePointer<Float>, count: Int) {
        largest.removeAll(keepingCapacity: true)
        var least = -Float.infinity
        for token in 0..<count {
            let value = unsafe values[token]
            guard value > least || largest.count < limit else { continue }
            if largest.count == limit { largest.removeLast() }
            let place = largest.firstIndex { $0.probability < value } ?? largest.count
            largest.insert((token, value), at: place)
            if largest.count == limit { least = largest[limit - 1].probability }
        }
    }

    /// −Σ p log p. With z the logit over the largest one, log p = z + log p_max: one logarithm does.
    ///
    /// Sums go over 16 striped lanes, then a fixed tree, products and sums rounded apart: the same bits everywhere.
    private func entropy(
        _ probabilities: UnsafePointer<Float>, _ logits: UnsafePointer<Float>, count: Int
    ) -> Float {
        guard let first = largest.first, first.probability > 0 else { return 0 }
        let greatest = unsafe logits[first.token]
        var lanes = SIMD16<Float>()
        let whole = count & ~15
        var index = 0
        while index < whole {
            let p = unsafe UnsafeRawPointer(probabilities + index).loadUnaligned(as: SIMD16<Float>.self)
            let z = unsafe UnsafeRawPointer(logits + index).loadUnaligned(as: SIMD16<Float>.self)
            // Impossible tokens may have a logit of −∞.
            lanes += (p * (z - greatest)).replacing(with: 0, where: p .== 0)
            index += 16
        }
        while index < count {
            let p = unsafe probabilities[index]
            if p != 0 { unsafe lanes[index & 15] += p * (logits[index] - greatest) }
            index += 1
        }
        let eight = lanes.lowHalf + lanes.highHalf
        let four = eight.lowHalf + eight.highHalf
        let two = four.lowHalf + four.highHalf
        return Float(-tk_log_ref(Double(first.probability))) - (two.x + two.y)
    }
}
