// SPDX-License-Identifier: Apache-2.0

/// What one generation does.
public struct GenerateParameters: Sendable, Equatable {
    /// Tokens to generate at most; `nil` = until the context is full.
    public let maxTokens: Int?
    /// `nil` = the best mode the file offers.
    public let mode: DecodingMode?
    /// Block length γ: tokens drafted before each primary pass; `nil` = the file's own, or 4.
    public let draftMax: Int?
    public let sampling: SamplingParameters
    /// Generation ends before any of these texts.
    public let stop: [String]
    /// Go on after an end token, as benchmarks want.
    public let ignoreEndTokens: Bool

    /// Checks and keeps the parameters.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(
        maxTokens: Int? = nil, mode: DecodingMode? = nil, draftMax: Int? = nil,
        sampling: SamplingParameters = .greedy, stop: [String] = [], ignoreEndTokens: Bool = false
    ) throws(TandemError) {
        if let maxTokens, maxTokens < 0 {
            throw .invalidParameter(name: "predict", value: "\(maxTokens)", allowed: "0 or greater")
        }
        if let draftMax, !(0...64).contains(draftMax) {
            throw .invalidParameter(name: "draft-max", value: "\(draftMax)", allowed: "in 0 ... 64")
        }
        if stop.contains("") {
            throw .invalidParameter(name: "stop", value: "\"\"", allowed: "texts that are not empty")
        }
        self.maxTokens = maxTokens
        self.mode = mode
        self.draftMax = draftMax
        self.sampling = sampling
        self.stop = stop
        self.ignoreEndTokens = ignoreEndTokens
    }
}
