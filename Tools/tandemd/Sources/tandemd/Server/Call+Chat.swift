// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Tandem
import TandemJSON
import TandemTokenizer

extension Call {
    /// `POST /v1/chat/completions`
    func chatCompletions() async throws -> Response {
        let activity = try daemon.enter()
        let fields = try await fields()
        let host = try daemon.host(fields)
        let lease = try await host.lease()
        let priority = priorityHeader
        let (plan, parser) = try await daemon.threads.prepare { () -> (GenerationPlan, ToolCallParser?) in
            let loaded = lease.loaded
            let generation = try GenerationFields(
                fields, defaults: loaded.model.manifest.generation, priority: priority)
            let tools = try ToolFields(fields)
            let form = try AnswerForm(fields)
            guard !tools.isForced || form.isText else {
                throw APIError.invalid(
                    "a forced call has a form of its own; leave 'response_format' and 'grammar' out",
                    param: "tool_choice")
            }
            let forced = try tools.forcedGrammar(loaded.toolFormat)
            let chat = try ChatFields(fields, tools: tools.tools)
            let plan = try GenerationPlan(
                prompts: [try loaded.tokens(of: chat.request)], generation,
                grammar: try forced ?? form.grammar(),
                logprobs: try LogprobFields.chat(fields), defaultTokens: nil, host: host, lease: lease,
                limits: daemon.settings.limits, idPrefix: "chatcmpl-")
            let parser =
                tools.tools == nil ? nil : ToolCallParser(format: loaded.toolFormat, isForced: tools.isForced)
            return (plan, parser)
        }
        let writer = ChatAnswer(
            plan.head, choices: plan.choices.count, wantsLogprobs: plan.wantsLogprobs, parser: parser)
        return try await answer(plan, writer: writer, activity: activity)
    }
}
