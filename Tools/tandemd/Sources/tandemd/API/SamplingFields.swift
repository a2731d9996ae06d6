// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON

/// How a request wants its tokens chosen.
struct SamplingFields: Sendable {
    private let temperature: Double
    private let topK: Int
    private let topP: Double
    private let minP: Double
    private let repeatPenalty: Double
    private let repeatLastN: Int
    private let presencePenalty: Double
    private let frequencyPenalty: Double
    private let seed: UInt64

    /// - Parameter defaults: what the model's makers recommend, as in a `generation_config.json`; it counts where the
    ///   request says nothing. Where neither does: temperature 1, no filters, no penalties, any seed.
    init(_ fields: Fields, defaults: JSONObject) throws(APIError) {
        if let biases = try fields.object("logit_bias"), !biases.object.isEmpty {
            throw .unsupported("logit_bias", "'logit_bias' is not supported")
        }
        // A model whose makers say that it answers greedily.
        let isGreedy = defaults["do_sample"]?.boolValue == false
        temperature =
            try fields.number("temperature", in: 0...100)
            ?? (isGreedy ? 0 : Self.number(defaults, "temperature", in: 0...100) ?? 1)
        topP = try fields.number("top_p", in: 0...1) ?? Self.number(defaults, "top_p", in: 0.001...1) ?? 1
        minP = try fields.number("min_p", in: 0...1) ?? Self.number(defaults, "min_p", in: 0...1) ?? 0
        topK =
            try fields.integer("top_k", in: -1...Int.max)
            ?? Self.number(defaults, "top_k", in: 0...1e9).map { Int($0) } ?? 0
        let penalty = try fields.number("repeat_penalty", in: 0.01...100)
        let otherPenalty = try fields.number("repetition_penalty", in: 0.01...100)
        repeatPenalty =
            penalty ?? otherPenalty
            ?? Self.number(defaults, "repetition_penalty", in: 0.01...100) ?? 1
        repeatLastN = try fields.integer("repeat_last_n", in: -1...Int(Int32.max)) ?? -1
        presencePenalty = try fields.number("presence_penalty", in: -2...2) ?? 0
        frequencyPenalty = try fields.number("frequency_penalty", in: -2...2) ?? 0
        let seed = try fields.integer("seed", in: Int.min...Int.max)
        self.seed = seed.map { UInt64(bitPattern: Int64($0)) } ?? UInt64.random(in: 0...UInt64.max)
    }

    /// The parameters of one of a request's answers; every answer has a seed of its own.
    func parameters(choice: Int) throws(APIError) -> SamplingParameters {
        do {
            return try SamplingParameters(
                temperature: Float(temperature), topK: max(0, topK), topP: Float(topP), minP: Float(minP),
                repeatPenalty: Float(repeatPenalty), repeatLastN: repeatLastN,
                presencePenalty: Float(presencePenalty), frequencyPenalty: Float(frequencyPenalty),
                seed: seed &+ UInt64(choice))
        } catch {
            throw APIError(error)
        }
    }

    private static func number(_ object: JSONObject, _ name: String, in range: ClosedRange<Double>) -> Double?
    {
        object[name]?.doubleValue.flatMap { range.contains($0) ? $0 : nil }
    }
}
