// SPDX-License-Identifier: Apache-2.0

/// What a pass of the primary took.
package struct PassMeasure: Sendable {
    package let rows: Int
    package let seconds: Double
    /// Seconds of it in which weights were waited for.
    package let wait: Double
    /// The part of the weights that are streamed, 0 … 1.
    package let streamedShare: Double
    /// Seconds that one more row is known to take, from passes of other lengths that others made.
    package let marginal: Double?

    package init(
        rows: Int, seconds: Double, wait: Double = 0, streamedShare: Double = 0, marginal: Double? = nil
    ) {
        self.rows = rows
        self.seconds = seconds
        self.wait = wait
        self.streamedShare = streamedShare
        self.marginal = marginal
    }
}

extension Decoder {
    /// Runs a pass of the lead and measures it.
    func measured(rows: Int, _ pass: () throws(TandemError) -> PassCost) throws(TandemError) -> PassMeasure {
        let memory = core.memory
        let isStreaming = lead == .primary && memory.isPlanned
        let before = isStreaming ? memory.streaming.waitSeconds : 0
        let start = monotonicSeconds()
        let cost = try pass()
        let elapsed = monotonicSeconds() - start
        let seconds = cost.seconds(since: start)
        guard isStreaming, elapsed > 0 else {
            return PassMeasure(rows: rows, seconds: seconds, marginal: cost.marginal)
        }
        let plan = memory.plan
        let wait = memory.streaming.waitSeconds - before
        return PassMeasure(
            rows: rows, seconds: seconds, wait: wait * min(1, seconds / elapsed),
            streamedShare: Double(plan.streamedBytes) / Double(max(1, plan.primaryBytes)),
            marginal: cost.marginal)
    }
}
