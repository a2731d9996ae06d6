// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
package import TandemTokenizer

/// How good a block-length router's estimates are over a text.
public struct RouterStatistics: Sendable, Equatable {
    /// Estimates of one kind, against what happened.
    public struct Output: Sendable, Equatable {
        private var estimates = 0.0
        private var outcomes = 0.0
        private var errors = 0.0
        private var count = 0

        /// Mean chance of being kept that the router promised.
        public var meanEstimate: Double { count > 0 ? estimates / Double(count) : 0 }
        /// Mean chance of being kept.
        public var meanOutcome: Double { count > 0 ? outcomes / Double(count) : 0 }
        /// Mean squared error of the estimates against the events: 0 is a prophet's, ¼ a coin's.
        public var brierScore: Double { count > 0 ? errors / Double(count) : 0 }

        /// Adds an estimate of an event that has the chance `outcome`.
        mutating func add(estimate: Double, outcome: Double) {
            count += 1
            estimates += estimate
            outcomes += outcome
            errors += (estimate - outcome) * (estimate - outcome) + outcome * (1 - outcome)
        }

        mutating func merge(_ other: Output) {
            count += other.count
            estimates += other.estimates
            outcomes += other.outcomes
            errors += other.errors
        }
    }

    /// Of drafts that are kept by chance, at temperature 1.
    public internal(set) var sampled = Output()
    /// Of drafts that are kept when both models prefer the same token.
    public internal(set) var greedy = Output()

    init() {}

    mutating func merge(_ other: RouterStatistics) {
        sampled.merge(other.sampled)
        greedy.merge(other.greedy)
    }
}

/// A router that is asked about logits at hand, outside of passes.
struct RouterReader {
    private let router: RouterWeights
    private let embedding: Matrix
    private let kernels: KernelTable
    private let question = RouterQuestion()

    /// `nil` when the model has no router.
    init?(_ core: ModelCore) {
        guard let secondary = core.secondary, let router = secondary.router else { return nil }
        self.router = router
        embedding = secondary.embedding
        kernels = core.kernels
    }

    /// The chances that a draft after `logits` [tokens of both models] is kept.
    func estimates(_ logits: [Float]) -> (sampled: Double, greedy: Double) {
        func ask(isGreedy: Bool) -> Double {
            question.isGreedy = isGreedy
            unsafe logits.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                unsafe question.ask(router, logits: base, embedding: embedding, kernels: kernels.table)
            }
            return Double(question.answer)
        }
        return (ask(isGreedy: false), ask(isGreedy: true))
    }
}

extension Session {
    /// The router's estimates at every position of a text, in blocks of `blockLength`; empty when there is no router.
    /// - Throws: as ``logits(tokens:blockLength:cancellation:visit:)``.
    package func routerEstimates(
        tokens: [TokenID], blockLength: Int
    ) throws(TandemError) -> [(sampled: Double, greedy: Double)] {
        guard let reader = RouterReader(model.core) else { return [] }
        var estimates: [(sampled: Double, greedy: Double)] = []
        try logits(tokens: tokens, blockLength: blockLength) {
            estimates.append(reader.estimates($0.secondary))
        }
        return estimates
    }
}
