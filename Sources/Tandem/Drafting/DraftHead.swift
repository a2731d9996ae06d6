// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// The rows of the secondary's head that drafts are made with, and whose tokens they are.
///
/// Thread safety: an immutable view; `TransformerWeights` keeps the bytes alive.
struct DraftHead: Sendable {
    /// [tokens, hidden].
    let matrix: Matrix
    /// Ascending ids of the rows.
    let tokens: [Int]

    /// - Parameter limit: ids of both models are below it.
    init(count: Int, limit: Int, loader: inout WeightLoader) throws(TandemError) {
        matrix = try loader.matrix(TensorName.draftHead)
        let ids = unsafe try loader.vector(TensorName.draftTokens)
        var tokens: [Int] = []
        tokens.reserveCapacity(count)
        for index in 0..<count {
            let value = unsafe ids[index]
            let next = (tokens.last ?? -1) + 1
            guard let token = Int(exactly: value), token >= next, token < limit else {
                throw .format(
                    .invalidField(
                        name: "tensors[\(TensorName.draftTokens)][\(index)]", offset: nil,
                        reason: "\(value) is no token id in \(next)..<\(limit), ascending"))
            }
            tokens.append(token)
        }
        self.tokens = tokens
    }

    /// Deals the logits of the rows out to their tokens, within `logits` [vocabulary]; the others become −∞.
    func expand(_ logits: UnsafeMutablePointer<Float>, vocabularySize: Int) {
        // A token's id is at least its row's index: from the end, nothing is overwritten that is still to be read.
        var end = vocabularySize
        for index in tokens.indices.reversed() {
            let token = tokens[index]
            let value = unsafe logits[index]
            // Mostly one or two, too few for a call each.
            while end > token &+ 1 {
                end &-= 1
                unsafe logits[end] = -.infinity
            }
            unsafe logits[token] = value
            end = token
        }
        unsafe logits.update(repeating: -.infinity, count: end)
    }
}
