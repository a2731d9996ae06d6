// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON

/// The numbers of tokens of an answer.
struct UsageCount: Sendable, Equatable {
    private(set) var prompt = 0
    private(set) var cached = 0
    private(set) var completion = 0
    private(set) var drafted = 0
    private(set) var accepted = 0

    /// - Parameter countsPrompt: whether the generation is the first of its prompt; others share it.
    mutating func add(_ result: GenerationResult, countsPrompt: Bool) {
        if countsPrompt {
            prompt += result.usage.promptTokens
            cached += result.usage.cachedPromptTokens
        }
        completion += result.usage.completionTokens
        drafted += result.speculative.drafted
        accepted += result.speculative.accepted
    }

    var json: JSONValue {
        [
            "prompt_tokens": .integer(Int64(prompt)), "completion_tokens": .integer(Int64(completion)),
            "total_tokens": .integer(Int64(prompt + completion)),
            "prompt_tokens_details": ["cached_tokens": .integer(Int64(cached))],
            "completion_tokens_details": [
                "accepted_prediction_tokens": .integer(Int64(accepted)),
                "rejected_prediction_tokens": .integer(Int64(max(0, drafted - accepted))),
            ],
        ]
    }
}
