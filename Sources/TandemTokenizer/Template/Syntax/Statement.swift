// SPDX-License-Identifier: Apache-2.0

/// A statement of a template.
struct Statement: Sendable {
    let kind: Kind
    let position: TemplatePosition

    indirect enum Kind: Sendable {
        case data([UInt32])
        case print([Expression])
        case set(AssignmentTarget, Expression)
        case setBlock(AssignmentTarget, filter: Expression?, body: [Statement])
        case loop(LoopDefinition)
        case branch([(test: Expression, body: [Statement])], otherwise: [Statement])
        case macro(MacroDefinition)
        case callBlock(Expression, MacroDefinition)
        case filterBlock(Expression, body: [Statement])
        case with([(target: AssignmentTarget, value: Expression)], body: [Statement])
        case generation([Statement])
        case breakLoop
        case continueLoop
    }
}

/// What a value is assigned to.
indirect enum AssignmentTarget: Sendable {
    case name(String)
    case attribute(String, AttributeName)
    case tuple([AssignmentTarget])
}

/// A `for` statement.
final class LoopDefinition: Sendable {
    let target: AssignmentTarget
    let items: Expression
    let condition: Expression?
    let isRecursive: Bool
    let body: [Statement]
    let otherwise: [Statement]
    let position: TemplatePosition

    init(
        target: AssignmentTarget, items: Expression, condition: Expression?, isRecursive: Bool,
        body: [Statement], otherwise: [Statement], position: TemplatePosition
    ) {
        self.target = target
        self.items = items
        self.condition = condition
        self.isRecursive = isRecursive
        self.body = body
        self.otherwise = otherwise
        self.position = position
    }
}

/// A macro, or the body of a `call` block.
final class MacroDefinition: Sendable {
    let name: String
    let parameters: [(name: String, value: Expression?)]
    let body: [Statement]
    /// Whether the body asks for arguments beyond its parameters, and for the block of its caller.
    let usesExtraPositional: Bool
    let usesExtraKeywords: Bool
    let usesCaller: Bool

    init(
        name: String, parameters: [(name: String, value: Expression?)], body: [Statement],
        mentions: Set<String>
    ) {
        self.name = name
        self.parameters = parameters
        self.body = body
        usesExtraPositional = mentions.contains("varargs")
        usesExtraKeywords = mentions.contains("kwargs")
        usesCaller = mentions.contains("caller")
    }
}
