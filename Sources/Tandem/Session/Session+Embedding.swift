// SPDX-License-Identifier: Apache-2.0

public import TandemTokenizer

/// How the hidden states of a text's tokens become one vector.
public enum EmbeddingPooling: String, Sendable, CaseIterable {
    /// Their mean.
    case mean
    /// The last token's, which has seen all others.
    case last
}

extension Session {
    /// A vector that stands for a text: the primary's hidden states after its final norm, pooled, of length 1.
    ///
    /// The result has the primary's hidden size. Texts of like meaning have a large dot product only as far as the model was
    /// trained for it. It does not depend on threads, memory or instruction set.
    ///
    /// The session then holds the text: what it held before is forgotten.
    /// - Parameters:
    ///   - text: at most as many tokens as the context holds.
    ///   - pooling: how the tokens' states become one vector.
    ///   - cancellation: stops the work within one layer.
    /// - Throws: ``TandemError/noTokenizer``, ``TandemError/emptyPrompt``,
    ///   ``TandemError/promptTooLong(tokens:contextSize:)``, ``TandemError/sessionBusy``, ``TandemError/cancelled``.
    public func embedding(
        for text: String, pooling: EmbeddingPooling = .mean, cancellation: CancellationToken? = nil
    ) throws(TandemError) -> [Float] {
        try embedding(tokens: model.tokenize(text), pooling: pooling, cancellation: cancellation)
    }

    /// A vector that stands for token ids, at most as many as the context holds; see
    /// ``embedding(for:pooling:cancellation:)``.
    /// - Throws: also ``TandemError/invalidToken(id:vocabularySize:)``.
    public func embedding(
        tokens: [TokenID], pooling: EmbeddingPooling = .mean, cancellation: CancellationToken? = nil
    ) throws(TandemError) -> [Float] {
        guard !tokens.isEmpty else { throw .emptyPrompt }
        var sums = [Double](repeating: 0, count: model.manifest.primary.hiddenSize)
        try withDecoder(checking: tokens, blockLength: 1, cancellation: cancellation) {
            (decoder) throws(TandemError) in
            try unsafe decoder.hiddenStates(tokens, cancellation: cancellation) { position, state in
                guard pooling == .mean || position == tokens.count - 1 else { return }
                for index in sums.indices { sums[index] += Double(unsafe state[index]) }
            }
        }
        let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length > 0, length.isFinite else { return sums.map { Float($0) } }
        return sums.map { Float($0 / length) }
    }
}

extension TandemModel {
    /// A vector that stands for a text, by a session made for it; see ``Session/embedding(for:pooling:cancellation:)``. For
    /// many texts, make one session.
    /// - Throws: also what ``makeSession(options:)`` throws.
    public func embedding(for text: String, pooling: EmbeddingPooling = .mean) throws(TandemError) -> [Float]
    {
        let tokens = try tokenize(text)
        let session = try makeSession(
            options: SessionOptions(contextSize: max(2, tokens.count), maxDraft: 0))
        return try session.embedding(tokens: tokens, pooling: pooling)
    }
}
