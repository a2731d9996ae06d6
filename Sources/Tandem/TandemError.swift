// SPDX-License-Identifier: Apache-2.0

public import TandemFormat
public import TandemGrammar
public import TandemTokenizer

/// What can go wrong in the engine. Every case says what was wrong, and the description what to do about it.
public enum TandemError: Error, Sendable, Equatable {
    /// The file could not be opened or is not a sound `.tandem` file.
    case format(FormatError)
    /// The tokenizer stored in the file could not be used.
    case tokenizer(TokenizerError)
    /// The file carries no tokenizer, and text was given or asked for.
    case noTokenizer
    /// The file lacks a tensor that its configuration needs.
    case missingTensor(name: String)
    /// A tensor is stored in a way that this place cannot use.
    case unexpectedEncoding(name: String, encoding: String)
    /// The system refused memory.
    case outOfMemory(requestedBytes: Int, purpose: String)
    /// A parameter is out of its range.
    case invalidParameter(name: String, value: String, allowed: String)
    /// The instruction set asked for is not available here.
    case unknownInstructionSet(name: String, available: [String])
    /// The prompt does not fit the context.
    case promptTooLong(tokens: Int, contextSize: Int)
    /// The prompt holds no token.
    case emptyPrompt
    /// A token id is outside the vocabulary.
    case invalidToken(id: Int, vocabularySize: Int)
    /// The decoding mode needs a model that the file does not hold.
    case modeUnavailable(mode: String, reason: String)
    /// The file carries no chat template, and a conversation was asked for.
    case noChatTemplate
    /// A chat template could not be read, or refuses the conversation.
    case chatTemplate(TemplateError)
    /// The session is already generating.
    case sessionBusy
    /// The operation was cancelled.
    case cancelled
    /// The models and the session cannot run within the memory budget.
    case memoryBudgetTooSmall(budgetBytes: Int, leastBytes: Int, largest: String)
    /// The session would take more than the memory plan of its model has left.
    case sessionExceedsBudget(neededBytes: Int, leftBytes: Int)
    /// The model streams its weights, or was generating, when the process was forked.
    case forkedProcess
    /// There is no room for another generation: so many wait already, and no more may.
    case queueFull(waiting: Int, limit: Int)
    /// A session could not be saved or restored.
    case sessionFile(SessionFileError)
    /// A grammar is too ambiguous to be matched.
    case grammar(GrammarError)
    /// The vocabulary has no token that a grammar allows after the text so far.
    case grammarDeadEnd
}

extension TandemError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .format(let error):
            return error.description
        case .tokenizer(let error):
            return "tokenizer of the file: \(error.description)"
        case .noTokenizer:
            return
                "the file holds no tokenizer; give token ids instead of text, or pack it again with a tokenizer"
        case .missingTensor(let name):
            return "the file lacks the tensor '\(name)' that its configuration needs; pack it again"
        case .unexpectedEncoding(let name, let encoding):
            return "tensor '\(name)' has the encoding \(encoding), which cannot be used there; pack it again"
        case .outOfMemory(let bytes, let purpose):
            return
                "the system refused \(bytes) bytes for \(purpose); use a smaller context or a smaller model"
        case .invalidParameter(let name, let value, let allowed):
            return "\(name) is \(value), but must be \(allowed)"
        case .unknownInstructionSet(let name, let available):
            let list = available.joined(separator: ", ")
            return "instruction set '\(name)' is not available on this machine; available: \(list)"
        case .promptTooLong(let tokens, let contextSize):
            return
                "the prompt has \(tokens) tokens, but the context holds \(contextSize) with at least one of them"
                + " left for the answer; shorten the prompt or raise the context size"
        case .emptyPrompt:
            return "the prompt holds no token; give at least one"
        case .invalidToken(let id, let vocabularySize):
            return "token id \(id) is outside the vocabulary of \(vocabularySize)"
        case .modeUnavailable(let mode, let reason):
            return "decoding mode '\(mode)' cannot be used with this file: \(reason)"
        case .noChatTemplate:
            return
                "the file holds no chat template; give one (--template), or continue a text instead (tandem generate)"
        case .chatTemplate(let error):
            return error.description
        case .sessionBusy:
            return "the session is generating; wait for it, cancel it, or make another session"
        case .cancelled:
            return "cancelled"
        case .memoryBudgetTooSmall(let budget, let least, let largest):
            return
                "a memory budget of \(budget) bytes is too small: this needs at least \(least) (\(largest));"
                + " raise the budget, or use a smaller context or block length"
        case .sessionExceedsBudget(let needed, let left):
            return
                "the session needs \(needed) bytes, but the model's memory plan has \(left) left for sessions;"
                + " load the model with these session options, or use a smaller context"
        case .grammar(let error):
            return error.description
        case .grammarDeadEnd:
            return
                "the grammar allows none of the model's tokens after the text so far; let it allow characters that"
                + " the model's vocabulary can spell"
        case .forkedProcess:
            return "the model was loaded before this process was forked; load it again in the child"
        case .queueFull(let waiting, let limit):
            return
                "no room for another generation (\(waiting) wait, the limit is \(limit)); try again later,"
                + " or raise the limit"
        case .sessionFile(let error):
            return error.description
        }
    }
}
