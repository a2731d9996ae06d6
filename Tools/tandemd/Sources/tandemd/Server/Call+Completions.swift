// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Tandem
import TandemJSON
import TandemTokenizer

extension Call {
    /// `POST /v1/completions`
    func completions() async throws -> Response {
        let activity = try daemon.enter()
        let fields = try await fields()
        let host = try daemon.host(fields)
        let lease = try await host.lease()
        let priority = priorityHeader
        let plan = try await daemon.threads.prepare {
            try refuse(fields)
            let loaded = lease.loaded
            let generation = try GenerationFields(
                fields, defaults: loaded.model.manifest.generation, priority: priority)
            let form = try AnswerForm(fields)
            let prompts = try PromptFields.tokens(fields, "prompt", model: loaded.model)
            guard prompts.count * generation.choices <= PromptFields.mostPrompts else {
                throw APIError.invalid(
                    "'n' times the prompts is more than \(PromptFields.mostPrompts)", param: "n")
            }
            return try GenerationPlan(
                prompts: prompts, generation, grammar: try form.grammar(),
                logprobs: try LogprobFields.completion(fields),
                defaultTokens: 16, host: host, lease: lease, limits: daemon.settings.limits, idPrefix: "cmpl-"
            )
        }
        let writer = CompletionAnswer(
            plan.head, choices: plan.choices.count, wantsLogprobs: plan.wantsLogprobs)
        return try await answer(plan, writer: writer, activity: activity)
    }

    /// What is not done is refused, rather than left out silently.
    private func refuse(_ fields: Fields) throws(APIError) {
        if try fields.bool("echo") ?? false {
            throw .unsupported("echo", "'echo' is not supported: the answer holds the continuation only")
        }
        if let suffix = try fields.string("suffix"), !suffix.isEmpty {
            throw .unsupported(
                "suffix", "'suffix' is not supported: the model continues texts at their end only")
        }
        if let best = try fields.integer("best_of", in: 1...Int.max),
            best != (try fields.integer("n", in: 1...Int.max) ?? 1)
        {
            throw .unsupported("best_of", "'best_of' must equal 'n': every answer that is made is returned")
        }
    }
}
