// SPDX-License-Identifier: Apache-2.0

import Tandem

/// What the daemon counts.
///
/// Thread safety: any thread.
final class Metrics: Sendable {
    /// By route and status.
    let requests = LabelledCounters()
    let rejected = Counter()
    let promptTokens = Counter()
    let cachedPromptTokens = Counter()
    let generatedTokens = Counter()
    let drafted = Counter()
    let accepted = Counter()
    let embeddings = Counter()
    let tokenRate = RateMeter()

    private static let longTimes = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
    ]
    let requestSeconds = Histogram(bounds: longTimes)
    let queueSeconds = Histogram(bounds: longTimes)
    let firstTokenSeconds = Histogram(bounds: longTimes)
    let tokenSeconds = Histogram(
        bounds: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5])

    private let finished = LabelledCounters()

    /// Generations that ended for this reason.
    func generations(_ reason: String) -> Counter { finished[[reason]] }
    var generationTotals: [(labels: [String], total: Int)] { finished.totals }

    /// Counts what a generation took.
    func note(_ result: GenerationResult) {
        promptTokens.add(result.usage.promptTokens)
        cachedPromptTokens.add(result.usage.cachedPromptTokens)
        generatedTokens.add(result.usage.completionTokens)
        drafted.add(result.speculative.drafted)
        accepted.add(result.speculative.accepted)
    }
}
