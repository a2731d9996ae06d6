// SPDX-License-Identifier: Apache-2.0

/// What a model has done since it was loaded. All totals only grow.
public struct ModelStatistics: Sendable, Equatable {
    /// Generations (and evaluations) that run now.
    public internal(set) var running = 0
    /// Those that wait to be admitted now.
    public internal(set) var queued = 0
    /// Prompt tokens that were run; those found in a session's caches are not among them.
    public internal(set) var promptTokens = 0
    public internal(set) var generatedTokens = 0
    /// Passes of the primary, each for one or more sessions.
    public internal(set) var primaryPasses = 0
    public internal(set) var secondaryPasses = 0
    /// Positions that went through the primary.
    public internal(set) var primaryRows = 0
    /// Tokens drafted, and those of them that were kept.
    public internal(set) var drafted = 0
    public internal(set) var accepted = 0
    /// Bytes of weights read from storage after loading.
    public internal(set) var bytesStreamed = 0
    /// Seconds in which a pass was under way.
    public internal(set) var passSeconds = 0.0
}

extension TandemModel {
    /// What the model does now and has done since it was loaded. Any thread, at any time.
    public var statistics: ModelStatistics {
        var statistics = core.passes.statistics
        statistics.bytesStreamed = core.memory.streaming.bytesStreamed
        return statistics
    }
}
