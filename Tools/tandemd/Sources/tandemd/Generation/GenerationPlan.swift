// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemGrammar
import TandemTokenizer

/// A checked request for generations: what to run, and how to tell it.
struct GenerationPlan: Sendable {
    let host: ModelHost
    let lease: ModelHost.Lease
    /// Prompt after prompt, all answers of each.
    let choices: [ChoiceRequest]
    let head: AnswerHead
    let streams: Bool
    let isBackground: Bool
    let wantsLogprobs: Bool

    /// - Parameter defaultTokens: tokens to generate where the request does not say; nil = as many as fit.
    /// - Throws: 400 that names what is wrong.
    init(
        prompts: [[TokenID]], _ fields: GenerationFields, grammar: Grammar?, logprobs: Int?,
        defaultTokens: Int?,
        host: ModelHost, lease: ModelHost.Lease, limits: Settings.Limits, idPrefix: String
    ) throws(APIError) {
        let loaded = lease.loaded
        for prompt in prompts { try Self.check(prompt, contextSize: loaded.contextSize, limits) }
        var maxTokens = fields.maxTokens ?? defaultTokens
        if let limit = limits.generatedTokens { maxTokens = min(maxTokens ?? limit, limit) }
        var choices: [ChoiceRequest] = []
        for prompt in prompts {
            for index in 0..<fields.choices {
                let sampling = try fields.sampling.parameters(choice: index)
                do {
                    choices.append(
                        ChoiceRequest(
                            prompt: prompt,
                            parameters: try GenerateParameters(
                                maxTokens: maxTokens, sampling: sampling, stop: fields.stop,
                                ignoreEndTokens: fields.ignoresEndTokens, logprobs: logprobs,
                                grammar: grammar,
                                priority: fields.isBackground ? .background : .interactive)))
                } catch {
                    throw APIError(error)
                }
            }
        }
        self.host = host
        self.lease = lease
        self.choices = choices
        streams = fields.streams
        isBackground = fields.isBackground
        wantsLogprobs = logprobs != nil
        head = AnswerHead(
            id: AnswerHead.makeID(idPrefix), created: unixSeconds(), model: host.name,
            tokenizer: loaded.tokenizer, endTokens: fields.ignoresEndTokens ? [] : loaded.model.endTokens,
            choicesPerPrompt: fields.choices, streamsUsage: fields.streamsUsage)
    }

    private static func check(_ prompt: [TokenID], contextSize: Int, _ limits: Settings.Limits)
        throws(APIError)
    {
        guard !prompt.isEmpty else { throw APIError(.emptyPrompt) }
        guard prompt.count < contextSize else {
            throw APIError(.promptTooLong(tokens: prompt.count, contextSize: contextSize))
        }
        if let limit = limits.promptTokens, prompt.count > limit {
            throw .invalid(
                "the prompt has \(prompt.count) tokens, but the limit is \(limit); shorten it",
                code: "context_length_exceeded")
        }
    }
}
