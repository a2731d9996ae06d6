// SPDX-License-Identifier: Apache-2.0

import Tandem

extension APIError {
    /// What an error of the engine means for a request.
    init(_ error: TandemError) {
        switch error {
        case .promptTooLong:
            self = .invalid(error.description, code: "context_length_exceeded")
        case .emptyPrompt:
            self = .invalid("the prompt holds no token; give some text", param: "prompt")
        case .invalidParameter(let name, let value, let allowed):
            let member = String(name.map { $0 == "-" ? "_" : $0 })
            self = .invalid("'\(member)' is \(value), but must be \(allowed)", param: member)
        case .invalidToken:
            self = .invalid(error.description, param: "prompt")
        case .modeUnavailable:
            self = .invalid(error.description, param: "mode")
        case .noTokenizer:
            self = .invalid("the model's file holds no tokenizer; give token ids instead of text")
        case .noChatTemplate:
            self = .invalid(
                "the model has no chat template; use /v1/completions, or start tandemd with --chat-template",
                code: "no_chat_template")
        case .chatTemplate(let reason):
            self = .invalid("the conversation does not fit the model: \(reason)", param: "messages")
        case .grammar(let reason):
            self = .invalid(reason.description, param: "grammar", code: "invalid_grammar")
        case .grammarDeadEnd:
            self = .invalid(error.description, param: "grammar", code: "grammar_dead_end")
        case .queueFull(let waiting, _):
            self = .queueFull(waiting: waiting)
        case .cancelled:
            self = .clientClosed
        case .outOfMemory, .sessionExceedsBudget, .memoryBudgetTooSmall:
            self = .unavailable(error.description, code: "out_of_memory", retryAfter: 10)
        default:
            self = .internalError(error.description)
        }
    }

    /// Any error as an API error.
    init(any error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as TandemError: self.init(error)
        case is CancellationError: self = .clientClosed
        default: self = .internalError("\(error)")
        }
    }
}
