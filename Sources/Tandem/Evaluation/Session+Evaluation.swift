// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
public import TandemTokenizer

/// The logits of one position of an evaluated text.
public struct EvaluatedPosition: Sendable {
    /// 0-based position; the logits predict the token at `position + 1`.
    public let position: Int
    /// The primary's logits [vocabulary].
    public let primary: [Float]
    /// The secondary's logits [tokens that both models have]; empty when the file holds one model. In a tandem they are
    /// those of a secondary that attends to the primary's representations for all earlier blocks of γ tokens.
    public let secondary: [Float]
}

/// Statistics of both models over a text.
public struct Evaluation: Sendable, Equatable {
    /// No positions yet.
    public init() {}

    public internal(set) var primary = PredictionStatistics()
    /// Compared with the primary; `nil` when the file holds one model.
    public internal(set) var secondary: PredictionStatistics?
    /// The reference's own predictions of the text; `nil` without a reference.
    public internal(set) var reference: PredictionStatistics?
    /// Of the block-length router; `nil` when the file holds none.
    public internal(set) var router: RouterStatistics?
}

extension Evaluation {
    /// Adds another text's counts.
    public mutating func merge(_ other: Evaluation) {
        primary.merge(other.primary)
        if let theirs = other.secondary {
            var ours = secondary ?? PredictionStatistics()
            ours.merge(theirs)
            secondary = ours
        }
        if let theirs = other.reference {
            var ours = reference ?? PredictionStatistics()
            ours.merge(theirs)
            reference = ours
        }
        if let theirs = other.router {
            var ours = router ?? RouterStatistics()
            ours.merge(theirs)
            router = ours
        }
    }
}

extension Session {
    /// Runs given tokens through the models without generating, in blocks of `blockLength`, as the tandem decodes.
    ///
    /// - Parameters:
    ///   - tokens: at most `contextSize`.
    ///   - blockLength: γ, in 1 ... `maxDraft`; the primary's logits do not depend on it.
    ///   - cancellation: stops the work within one layer.
    ///   - visit: called for each position in order.
    /// - Throws: ``TandemError/promptTooLong(tokens:contextSize:)``, ``TandemError/invalidToken(id:vocabularySize:)``,
    ///   ``TandemError/sessionBusy``, ``TandemError/cancelled``, ``TandemError/invalidParameter(name:value:allowed:)``.
    /// - Complexity: one forward pass of both models over the tokens. The session is reset.
    public func logits(
        tokens: [TokenID], blockLength: Int = 2, cancellation: CancellationToken? = nil,
        visit: (EvaluatedPosition) -> Void
    ) throws(TandemError) {
        let vocabulary = model.manifest.primary.vocabularySize
        try withDecoder(checking: tokens, blockLength: blockLength, cancellation: cancellation) {
            (decoder) throws(TandemError) in
            try unsafe decoder.score(tokens, blockLength: blockLength, cancellation: cancellation) {
                (position, primary, secondary) in
                let own = unsafe [Float](UnsafeBufferPointer(start: primary, count: vocabulary))
                visit(EvaluatedPosition(position: position, primary: own, secondary: secondary))
            }
        }
    }

    /// Statistics of the predictions for a text; see ``logits(tokens:blockLength:cancellation:visit:)``.
    ///
    /// The secondary is compared with the primary; the primary with the primary of `reference` (the same model at
    /// another precision, say), when one is given. Where the vocabularies differ, the secondary is compared over the tokens
    /// of both models, at the positions whose next token is one of them.
    /// - Parameters:
    ///   - tokens: the text, at most `contextSize`.
    ///   - blockLength: γ, in 1 ... `maxDraft`.
    ///   - reference: a session of a model with the same vocabulary; it is reset too.
    ///   - referenceBlockLength: tokens the reference takes at once, at most its `maxDraft`: its logits do not depend on
    ///     it, but long blocks are faster; nil takes `blockLength`.
    ///   - cancellation: stops the work within one layer.
    /// - Throws: also ``TandemError/invalidParameter(name:value:allowed:)`` when the reference has another vocabulary.
    /// - Complexity: with a reference, memory for its logits: tokens × vocabulary floats.
    public func evaluate(
        tokens: [TokenID], blockLength: Int = 2, reference: Session? = nil,
        referenceBlockLength: Int? = nil, cancellation: CancellationToken? = nil
    ) throws(TandemError) -> Evaluation {
        let vocabulary = model.manifest.primary.vocabularySize
        var expected: [[Float]] = []
        if let reference {
            let other = reference.model.manifest.primary.vocabularySize
            guard other == vocabulary else {
                throw .invalidParameter(
                    name: "reference vocabulary", value: "\(other)", allowed: "\(vocabulary), the model's own"
                )
            }
            try reference.logits(
                tokens: tokens, blockLength: referenceBlockLength ?? blockLength, cancellation: cancellation
            ) { expected.append($0.primary) }
        }
        var result = Evaluation()
        if model.manifest.secondary != nil { result.secondary = PredictionStatistics() }
        if reference != nil { result.reference = PredictionStatistics() }
        let router = RouterReader(model.core)
        if router != nil { result.router = RouterStatistics() }
        let kernels = unsafe model.core.kernels.table
        try logits(tokens: tokens, blockLength: blockLength, cancellation: cancellation) { row in
            guard row.position + 1 < tokens.count else { return }
            let next = Int(tokens[row.position + 1])
            let primary = unsafe LogitRow(row.primary, kernels: kernels)
            let truth =
                expected.isEmpty ? nil : unsafe LogitRow(expected[row.position], kernels: kernels)
            result.primary.add(primary, next: next, reference: truth)
            if let truth { result.reference?.add(truth, next: next, reference: nil) }
            if next < row.secondary.count {
                let secondary = unsafe LogitRow(row.secondary, kernels: kernels)
                let shared = row.secondary.count
                let other =
                    shared == vocabulary
                    ? primary : unsafe LogitRow(Array(row.primary.prefix(shared)), kernels: kernels)
                result.secondary?.add(secondary, next: next, reference: other)
                if let estimates = router?.estimates(row.secondary) {
                    result.router?.sampled.add(
                        estimate: estimates.sampled, outcome: 1 - secondary.totalVariation(to: other))
                    result.router?.greedy.add(
                        estimate: estimates.greedy, outcome: secondary.best == other.best ? 1 : 0)
                }
            }
        }
        return result
    }
}
