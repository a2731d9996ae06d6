// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem

/// The sampling flags, named as llama.cpp names them.
struct SamplingFlags: ParsableArguments {
    @Option(help: "Temperature; 0 = always the most probable token.")
    var temp: Float = 0.8

    @Option(help: "Keep the k most probable tokens; 0 = all.")
    var topK = 40

    @Option(help: "Keep the smallest set of tokens with this probability.")
    var topP: Float = 0.95

    @Option(help: "Keep tokens at least this times as probable as the best.")
    var minP: Float = 0.05

    @Option(help: "Penalty on tokens of the recent text; 1 = off.")
    var repeatPenalty: Float = 1

    @Option(name: .customLong("repeat-last-n"), help: "Tokens the penalties look back at; -1 = all.")
    var repeatLastN = 64

    @Option(help: "Subtracted from the logit of tokens that occur in the recent text.")
    var presencePenalty: Float = 0

    @Option(help: "Subtracted from the logit of a token for each time it occurs in the recent text.")
    var frequencyPenalty: Float = 0

    @Option(name: .shortAndLong, help: "Seed; -1 = a new one each time.")
    var seed = -1

    /// The seed that was given, or one drawn now.
    func firstSeed() -> UInt64 {
        seed < 0 ? UInt64.random(in: 0..<1 << 32) : UInt64(seed)
    }

    func parameters(seed: UInt64) throws -> SamplingParameters {
        try SamplingParameters(
            temperature: temp, topK: topK, topP: topP, minP: minP, repeatPenalty: repeatPenalty,
            repeatLastN: repeatLastN, presencePenalty: presencePenalty, frequencyPenalty: frequencyPenalty,
            seed: seed)
    }
}
