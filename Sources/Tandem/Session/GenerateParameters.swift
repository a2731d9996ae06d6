// SPDX-License-Identifier: Apache-2.0

public import TandemGrammar

/// What one generation does.
public struct GenerateParameters: Sendable, Equatable {
    /// Tokens to generate at most; `nil` = until the context is full, or with ``ContextOverflow/shift(keep:)`` until an end
    /// token, a stop text or the caller ends it.
    public let maxTokens: Int?
    /// `nil` = the best mode the file offers.
    public let mode: DecodingMode?
    /// Most tokens drafted before a pass of the primary; `nil` = the session's limit, 15 where that is the usual one, and in
    /// standalone tandem decoding the file's own block length. 0 = no drafts.
    public let draftMax: Int?
    /// Fewest tokens drafted before a pass; `nil` = 0: drafting stops where it does not pay. Equal to ``draftMax``, every
    /// pass drafts that many (γ).
    public let draftMin: Int?
    /// Most tokens drafted for a pass where several may stand in one place: the paths of a tree, verified in one pass, of at
    /// most ``draftMax`` tokens each; as many of them as pay. `nil` = the session's limit, 0 = one chain. A fixed block length
    /// is a chain.
    public let draftTree: Int?
    /// Whether to draft also what followed the newest tokens when they occurred before (prompt lookup); `nil` = unless
    /// ``draftMin`` fixes the block length. The text stays exactly the primary's.
    public let promptLookup: Bool?
    public let sampling: SamplingParameters
    /// Generation ends before any of these texts.
    public let stop: [String]
    /// Go on after an end token, as benchmarks want.
    public let ignoreEndTokens: Bool
    /// Whether tokens come with the natural logarithms of their probabilities, and with those of how many of the most
    /// probable tokens of the same place: 0 ... 20; `nil` = none. They are of the model's raw distribution, before
    /// temperature, penalties and filters: the primary's, also of tokens that were drafted; of the secondary's own where
    /// it chooses (``DecodingMode/secondary``, and drafts in ``DecodingMode/tandem``).
    public let logprobs: Int?
    /// What the text must look like; `nil` = anything. Tokens that it does not allow are impossible, end tokens where the
    /// text may not end; when nothing may follow, generation ends with ``FinishReason/stop``.
    public let grammar: Grammar?
    /// What happens when the context is full.
    public let contextOverflow: ContextOverflow
    /// Whose turn comes first where generations of the same model compete.
    public let priority: GenerationPriority

    /// Checks and keeps the parameters.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(
        maxTokens: Int? = nil, mode: DecodingMode? = nil, draftMax: Int? = nil,
        draftMin: Int? = nil, draftTree: Int? = nil, promptLookup: Bool? = nil,
        sampling: SamplingParameters = .greedy,
        stop: [String] = [], ignoreEndTokens: Bool = false, logprobs: Int? = nil,
        grammar: Grammar? = nil, priority: GenerationPriority = .interactive,
        contextOverflow: ContextOverflow = .stop
    ) throws(TandemError) {
        if let maxTokens, maxTokens < 0 {
            throw .invalidParameter(name: "predict", value: "\(maxTokens)", allowed: "0 or greater")
        }
        if let draftMax, !(0...64).contains(draftMax) {
            throw .invalidParameter(name: "draft-max", value: "\(draftMax)", allowed: "in 0 ... 64")
        }
        if let draftMin, !(0...(draftMax ?? 64)).contains(draftMin) {
            throw .invalidParameter(
                name: "draft-min", value: "\(draftMin)", allowed: "in 0 ... \(draftMax ?? 64)")
        }
        if let draftTree, !SessionOptions.treeSizes.contains(draftTree) {
            throw .invalidParameter(name: "draft-tree", value: "\(draftTree)", allowed: "in 0 ... 512")
        }
        if stop.contains("") {
            throw .invalidParameter(name: "stop", value: "\"\"", allowed: "texts that are not empty")
        }
        if let logprobs, !(0...20).contains(logprobs) {
            throw .invalidParameter(name: "logprobs", value: "\(logprobs)", allowed: "in 0 ... 20")
        }
        if case .shift(let keep) = contextOverflow, keep < 0 {
            throw .invalidParameter(name: "keep", value: "\(keep)", allowed: "0 or greater")
        }
        self.maxTokens = maxTokens
        self.mode = mode
        self.draftMax = draftMax
        self.draftMin = draftMin
        self.draftTree = draftTree
        self.promptLookup = promptLookup
        self.sampling = sampling
        self.stop = stop
        self.ignoreEndTokens = ignoreEndTokens
        self.logprobs = logprobs
        self.grammar = grammar
        self.contextOverflow = contextOverflow
        self.priority = priority
    }
}
