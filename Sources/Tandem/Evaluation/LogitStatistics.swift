// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels

/// One row of logits with its softmax.
struct LogitRow {
    let logits: [Float]
    let probabilities: [Float]
    /// First index of the greatest logit.
    let best: Int
    /// log Σ exp(logit): what turns a logit into a log probability.
    let logSum: Double

    init(_ logits: [Float], kernels: tk_kernels) {
        self.logits = logits
        var values = logits
        best = unsafe values.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            let best = unsafe kernels.argmax(base, buffer.count)
            unsafe kernels.softmax(base, buffer.count, 1)
            return Int(best)
        }
        probabilities = values
        // The best token's weight before normalisation is exp(0) = 1, so its probability is 1 / Σ.
        logSum = Double(logits[best]) - tk_log_ref(Double(max(values[best], .leastNormalMagnitude)))
    }

    /// Natural logarithm of a token's probability.
    func logProbability(_ token: Int) -> Double { Double(logits[token]) - logSum }

    /// KL(self ‖ other) in nats.
    func divergence(to other: LogitRow) -> Double {
        var total = 0.0
        for index in probabilities.indices where probabilities[index] > 0 {
            total +=
                Double(probabilities[index]) * (logProbability(index) - other.logProbability(index))
        }
        return max(0, total)
    }

    /// Total variation distance: ½ Σ |p - q|.
    func totalVariation(to other: LogitRow) -> Double {
        var total: Float = 0
        for index in probabilities.indices {
            total += (probabilities[index] - other.probabilities[index]).magnitude
        }
        return Double(total) / 2
    }
}

/// How well predictions fit a text, and another model's predictions.
///
/// The rows of the paper's table 1: accuracy against the text, cross-entropy, accuracy against the primary, total
/// variation distance to the primary.
public struct PredictionStatistics: Sendable, Equatable {
    /// Positions with a next token to compare with.
    public private(set) var count = 0
    private var crossEntropySum = 0.0
    private var correctCount = 0
    private var comparedCount = 0
    private var agreementCount = 0
    private var divergenceSum = 0.0
    private var variationSum = 0.0

    public init() {}

    /// Mean cross-entropy in nats per token.
    public var crossEntropy: Double { count > 0 ? crossEntropySum / Double(count) : 0 }
    /// e to the cross-entropy.
    public var perplexity: Double { exponential(crossEntropy) }
    /// Share of positions whose most probable token is the text's.
    public var accuracy: Double { count > 0 ? Double(correctCount) / Double(count) : 0 }
    /// Share of positions whose most probable token is the reference's; `nil` without a reference.
    public var referenceAccuracy: Double? {
        comparedCount > 0 ? Double(agreementCount) / Double(comparedCount) : nil
    }
    /// Mean KL(reference ‖ model) in nats; `nil` without a reference.
    public var referenceDivergence: Double? {
        comparedCount > 0 ? divergenceSum / Double(comparedCount) : nil
    }
    /// Mean total variation distance to the reference; `nil` without a reference.
    public var totalVariation: Double? { comparedCount > 0 ? variationSum / Double(comparedCount) : nil }

    mutating func add(_ row: LogitRow, next: Int, reference: LogitRow?) {
        count += 1
        crossEntropySum -= row.logProbability(next)
        if row.best == next { correctCount += 1 }
        guard let reference else { return }
        comparedCount += 1
        if row.best == reference.best { agreementCount += 1 }
        divergenceSum += reference.divergence(to: row)
        variationSum += row.totalVariation(to: reference)
    }

    /// Adds another text's counts.
    public mutating func merge(_ other: PredictionStatistics) {
        count += other.count
        crossEntropySum += other.crossEntropySum
        correctCount += other.correctCount
        comparedCount += other.comparedCount
        agreementCount += other.agreementCount
        divergenceSum += other.divergenceSum
        variationSum += other.variationSum
    }
}

/// e^x in double, by squaring the single-precision kernel's reduced argument: good to 1e-7, enough for a report.
private func exponential(_ x: Double) -> Double {
    guard x.isFinite else { return x }
    let halvings = max(0, Int((x.magnitude / 40).rounded(.up)))
    var result = 1.0
    let part = Double(tk_expf_ref(Float(x / Double(max(1, halvings)))))
    for _ in 0..<max(1, halvings) { result *= part }
    return result
}
