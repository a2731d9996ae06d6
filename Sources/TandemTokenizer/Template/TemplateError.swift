// SPDX-License-Identifier: Apache-2.0

/// Why a chat template could not be read or rendered.
///
/// Lines and columns count from 1, columns in code points, in the template's source.
public enum TemplateError: Error, Sendable, Equatable {
    /// The source is no valid template.
    case syntax(reason: String, line: Int, column: Int)
    /// The source uses a construct of Jinja that is not implemented.
    case unsupported(construct: String, line: Int, column: Int)
    /// Rendering met an operation that makes no sense for its values.
    case evaluation(reason: String, line: Int, column: Int)
    /// The template itself refused the conversation, by calling `raise_exception`.
    case refused(message: String, line: Int, column: Int)
    /// Rendering needed more than a bound allows; `what` names it.
    case limitExceeded(what: String, limit: Int, line: Int, column: Int)
    /// The conversation, the tools or the variables are not what a template can be given.
    case invalidInput(reason: String)
}

extension TemplateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .syntax(let reason, let line, let column):
            "chat template, line \(line), column \(column): \(reason)"
        case .unsupported(let construct, let line, let column):
            "chat template, line \(line), column \(column): \(construct) is not supported"
        case .evaluation(let reason, let line, let column):
            "chat template, line \(line), column \(column): \(reason)"
        case .refused(let message, let line, let column):
            "the chat template refuses this conversation (line \(line), column \(column)): \(message)"
        case .limitExceeded(let what, let limit, let line, let column):
            "chat template, line \(line), column \(column): rendering needs more than \(limit) \(what)"
        case .invalidInput(let reason):
            "chat template: \(reason)"
        }
    }
}

/// A place in a template's source.
struct TemplatePosition: Sendable, Equatable {
    var line: Int32
    var column: Int32

    static let start = TemplatePosition(line: 1, column: 1)
}

extension TemplateError {
    static func syntax(_ reason: String, at position: TemplatePosition) -> TemplateError {
        .syntax(reason: reason, line: Int(position.line), column: Int(position.column))
    }

    static func unsupported(_ construct: String, at position: TemplatePosition) -> TemplateError {
        .unsupported(construct: construct, line: Int(position.line), column: Int(position.column))
    }
}
