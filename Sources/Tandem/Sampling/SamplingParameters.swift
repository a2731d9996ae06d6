// SPDX-License-Identifier: Apache-2.0

/// How the next token is chosen from the logits.
///
/// The steps are applied in this order, as llama.cpp does by default: penalties, top-k, top-p, min-p, temperature.
/// Draft and primary distributions go through the same steps, so that speculative decoding keeps the distribution.
///
/// Edge cases: temperature 0 is greedy (the first of equal maxima); `topK` 0, `topP` 1 and `minP` 0 switch a filter
/// off; at least one token always remains.
public struct SamplingParameters: Sendable, Equatable {
    /// 0 = greedy.
    public let temperature: Float
    /// Keep the `topK` most probable tokens; 0 = all.
    public let topK: Int
    /// Keep the smallest set whose probability reaches `topP`.
    public let topP: Float
    /// Keep tokens at least `minP` times as probable as the best.
    public let minP: Float
    /// Divides positive and multiplies negative logits of recent tokens; 1 = off.
    public let repeatPenalty: Float
    /// Tokens looked back at by all penalties; 0 = none, -1 = the whole context.
    public let repeatLastN: Int
    /// Subtracted once from the logit of every recent token.
    public let presencePenalty: Float
    /// Subtracted from the logit of a recent token once per occurrence.
    public let frequencyPenalty: Float
    /// Seed of the random numbers; the same seed gives the same text.
    public let seed: UInt64

    /// Checks and keeps the parameters.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(
        temperature: Float = 0.8, topK: Int = 40, topP: Float = 0.95, minP: Float = 0.05,
        repeatPenalty: Float = 1, repeatLastN: Int = 64, presencePenalty: Float = 0,
        frequencyPenalty: Float = 0, seed: UInt64 = 0
    ) throws(TandemError) {
        try Self.check("temperature", temperature, temperature >= 0 && temperature <= 100, "in 0 ... 100")
        try Self.check("top-k", topK, topK >= 0, "0 (off) or greater")
        try Self.check("top-p", topP, topP > 0 && topP <= 1, "greater than 0 and at most 1")
        try Self.check("min-p", minP, minP >= 0 && minP <= 1, "in 0 ... 1")
        try Self.check(
            "repeat-penalty", repeatPenalty, repeatPenalty > 0 && repeatPenalty <= 100,
            "greater than 0 and at most 100")
        try Self.check("repeat-last-n", repeatLastN, repeatLastN >= -1, "-1 (the whole context) or greater")
        try Self.check(
            "presence-penalty", presencePenalty, presencePenalty.magnitude <= 100, "in -100 ... 100")
        try Self.check(
            "frequency-penalty", frequencyPenalty, frequencyPenalty.magnitude <= 100, "in -100 ... 100")
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repeatPenalty = repeatPenalty
        self.repeatLastN = repeatLastN
        self.presencePenalty = presencePenalty
        self.frequencyPenalty = frequencyPenalty
        self.seed = seed
    }

    private static func check<T>(_ name: String, _ value: T, _ isValid: Bool, _ allowed: String)
        throws(TandemError)
    {
        guard isValid else { throw .invalidParameter(name: name, value: "\(value)", allowed: allowed) }
    }

    private init(greedySeed: UInt64) {
        temperature = 0
        topK = 0
        topP = 1
        minP = 0
        repeatPenalty = 1
        repeatLastN = 0
        presencePenalty = 0
        frequencyPenalty = 0
        seed = greedySeed
    }

    /// The most probable token, always.
    public static let greedy = SamplingParameters(greedySeed: 0)

    var isGreedy: Bool { temperature == 0 }

    /// 1 / temperature, finite for the smallest temperatures too.
    var inverseTemperature: Float { min(1 / temperature, .greatestFiniteMagnitude) }

    var hasPenalties: Bool {
        repeatLastN != 0 && (repeatPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0)
    }
}
