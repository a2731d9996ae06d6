// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Tandem
internal import TandemFormat

/// A failed call: its status and the sentence that goes with it.
struct CallError: Error, Equatable {
    let status: Int32
    let text: String

    init(_ status: Int32, _ text: String) {
        self.status = status
        self.text = text
    }

    static func invalidArgument(_ text: String) -> CallError {
        CallError(TANDEM_ERROR_INVALID_ARGUMENT, text)
    }

    static let invalidHandle = CallError(
        TANDEM_ERROR_INVALID_HANDLE, "this is no handle of the right type, or one that was freed")

    static let forked = CallError(
        TANDEM_ERROR_FORKED, "the handle was made before this process was forked; load the file again")
}

extension CallError {
    /// What a free function answers: in a forked child there is nothing to do.
    var statusOfFree: Int32 { self == .forked ? TANDEM_OK : status }

    /// The text of the last failure on a handle that cannot be looked at.
    var lastErrorText: String { self == .forked ? text : "" }
}

extension CallError {
    /// The engine's error, with options named as the header's fields.
    init(_ error: TandemError) {
        self.init(Self.status(of: error), Self.text(of: error))
    }

    private static func status(of error: TandemError) -> Int32 {
        switch error {
        case .format(let error): status(of: error)
        case .tokenizer, .missingTensor, .unexpectedEncoding: TANDEM_ERROR_BAD_FILE
        case .noTokenizer: TANDEM_ERROR_NO_TOKENIZER
        case .outOfMemory, .memoryBudgetTooSmall, .sessionExceedsBudget: TANDEM_ERROR_OUT_OF_MEMORY
        case .invalidParameter, .emptyPrompt, .chatTemplate, .grammar: TANDEM_ERROR_INVALID_ARGUMENT
        case .unknownInstructionSet, .modeUnavailable, .noChatTemplate, .grammarDeadEnd:
            TANDEM_ERROR_UNSUPPORTED
        case .forkedProcess: TANDEM_ERROR_FORKED
        case .promptTooLong: TANDEM_ERROR_PROMPT_TOO_LONG
        case .invalidToken: TANDEM_ERROR_INVALID_TOKEN
        case .sessionFile(let error): status(of: error)
        case .sessionBusy: TANDEM_ERROR_BUSY
        case .queueFull: TANDEM_ERROR_QUEUE_FULL
        // A cancelled generation is a result, not an error.
        case .cancelled: TANDEM_ERROR_INTERNAL
        }
    }

    private static func status(of error: FormatError) -> Int32 {
        switch error {
        case .noSuchFile, .isDirectory, .notRegularFile, .system, .diskFull, .fileChanged:
            TANDEM_ERROR_IO
        case .unsupportedVersion, .unsupportedFeatures: TANDEM_ERROR_UNSUPPORTED
        case .outOfMemory: TANDEM_ERROR_OUT_OF_MEMORY
        case .emptyFile, .notTandem, .truncated, .checksumMismatch, .invalidField, .missingTensor,
            .corruptBlock:
            TANDEM_ERROR_BAD_FILE
        case .misuse: TANDEM_ERROR_INTERNAL
        }
    }

    private static func status(of error: SessionFileError) -> Int32 {
        switch error {
        case .storage(.emptyFile): TANDEM_ERROR_BAD_FILE
        case .storage(let error): status(of: error)
        case .unsupportedVersion: TANDEM_ERROR_UNSUPPORTED
        case .notSessionFile, .truncated, .checksumMismatch, .invalidField, .otherModel: TANDEM_ERROR_BAD_FILE
        case .otherKeyValueType, .contextTooSmall: TANDEM_ERROR_INVALID_ARGUMENT
        }
    }

    private static func text(of error: TandemError) -> String {
        guard case .invalidParameter(let name, let value, let allowed) = error else {
            return error.description
        }
        return TandemError.invalidParameter(name: fieldName(name), value: value, allowed: allowed).description
    }

    /// The engine names parameters as the command line does.
    private static func fieldName(_ name: String) -> String {
        switch name {
        case "predict": "max_tokens"
        case "ctx-size": "context_size"
        case "temp": "temperature"
        default: String(name.map { $0 == "-" ? "_" : $0 })
        }
    }
}
