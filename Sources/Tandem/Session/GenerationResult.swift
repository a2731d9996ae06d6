// SPDX-License-Identifier: Apache-2.0

public import TandemTokenizer

/// Why a generation ended.
public enum FinishReason: String, Sendable {
    /// An end token or a stop text.
    case stop
    /// The token limit, or the end of the context where this ends a generation.
    case length
    /// The caller cancelled.
    case cancelled
}

/// The outcome of one generation.
public struct GenerationResult: Sendable, Equatable {
    /// The generated text, without stop text and special tokens; empty when the file has no tokenizer.
    public internal(set) var text = ""
    /// The generated tokens, the end token included when one was met.
    public internal(set) var tokens: [TokenID] = []
    /// The generated tokens with their log-probabilities; empty unless ``GenerateParameters/logprobs`` asked for them.
    public internal(set) var logprobs: [GeneratedToken] = []
    public internal(set) var finishReason = FinishReason.length
    public internal(set) var usage = Usage()
    public internal(set) var timings = Timings()
    public internal(set) var speculative = Speculative()
    public internal(set) var streaming = Streaming()

    /// Token counts.
    public struct Usage: Sendable, Equatable {
        public internal(set) var promptTokens = 0
        /// Prompt tokens found in the session's caches, not run again.
        public internal(set) var cachedPromptTokens = 0
        public internal(set) var completionTokens = 0
        /// How often the context was full and the older half of the text was forgotten; see ``ContextOverflow``.
        public internal(set) var contextShifts = 0
        public var totalTokens: Int { promptTokens + completionTokens }
    }

    /// Wall-clock times in seconds.
    public struct Timings: Sendable, Equatable {
        public internal(set) var promptSeconds = 0.0
        public internal(set) var predictedSeconds = 0.0
        /// Prompt tokens that were run.
        public internal(set) var promptTokensRun = 0
        /// Tokens produced after the first (which belongs to the prompt's time).
        public internal(set) var predictedTokens = 0

        /// Prompt tokens per second; 0 when none was run.
        public var promptPerSecond: Double {
            promptSeconds > 0 ? Double(promptTokensRun) / promptSeconds : 0
        }
        /// Generated tokens per second, the first one excluded; 0 when there were none.
        public var predictedPerSecond: Double {
            predictedSeconds > 0 ? Double(predictedTokens) / predictedSeconds : 0
        }
    }

    /// What reading weights from storage took. All zero when the model is in memory. Sessions that stream at the same time
    /// count each other's share.
    public struct Streaming: Sendable, Equatable {
        /// Bytes read, those read ahead for a next pass included.
        public internal(set) var bytesStreamed = 0
        /// Seconds in which a read was under way.
        public internal(set) var storageSeconds = 0.0
        /// Seconds in which computing waited for weights.
        public internal(set) var waitSeconds = 0.0
    }

    /// Speculation counts. All zero but `primaryPasses` without drafts.
    public struct Speculative: Sendable, Equatable {
        /// Passes of the primary during generation, the prompt's excluded.
        public internal(set) var primaryPasses = 0
        /// Tokens drafted, by the secondary or by prompt lookup; of a tree all its nodes.
        public internal(set) var drafted = 0
        /// Tokens drafted one after the other: the longest path of each tree.
        public internal(set) var draftedDepth = 0
        /// Drafted tokens that prompt lookup found.
        public internal(set) var lookedUp = 0
        /// Drafted tokens that were kept.
        public internal(set) var accepted = 0

        /// One step of the secondary, and one more row in a pass of the primary, in units of a pass over one row: what
        /// drafting was weighed with. 0 where nothing was weighed.
        public internal(set) var draftCost = 0.0
        public internal(set) var rowCost = 0.0

        /// Share of drafted tokens that were kept.
        public var acceptanceRate: Double { drafted > 0 ? Double(accepted) / Double(drafted) : 0 }
        /// Drafted tokens one after the other, per primary pass.
        public var depthPerPass: Double {
            primaryPasses > 0 ? Double(draftedDepth) / Double(primaryPasses) : 0
        }
        /// Draft tokens kept per primary pass.
        public var acceptedPerPass: Double {
            primaryPasses > 0 ? Double(accepted) / Double(primaryPasses) : 0
        }
    }
}
