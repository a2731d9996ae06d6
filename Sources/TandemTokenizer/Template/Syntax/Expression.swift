// SPDX-License-Identifier: Apache-2.0

/// An expression of a template.
struct Expression: Sendable {
    let kind: Kind
    let position: TemplatePosition

    indirect enum Kind: Sendable {
        case literal(Literal)
        case name(String)
        case list([Expression])
        case tuple([Expression])
        case dictionary([(key: Expression, value: Expression)])
        case attribute(Expression, AttributeName)
        case item(Expression, Expression)
        case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
        case call(Expression, Arguments)
        case filter(Expression, FilterName, Arguments)
        case test(Expression, TestName, Arguments)
        case negate(Expression)
        case plus(Expression)
        case not(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
        case binary(BinaryOperator, Expression, Expression)
        case compare(Expression, [(operation: Comparison, operand: Expression)])
        case concatenate([Expression])
        case conditional(test: Expression, then: Expression, otherwise: Expression?)
        /// The text of the block that a filter is applied to.
        case blockText
    }
}

/// A constant in the source.
enum Literal: Sendable {
    case none
    case boolean(Bool)
    case integer(Int)
    case float(Double)
    case text(TemplateText)
}

/// A name after a dot.
struct AttributeName: Sendable {
    let name: String
    let text: TemplateText

    init(_ name: String) {
        self.name = name
        text = TemplateText(name)
    }
}

/// Arguments of a call, a filter or a test.
struct Arguments: Sendable {
    var positional: [Expression] = []
    var keywords: [(name: String, value: Expression)] = []
    /// `*values`
    var list: Expression?
    /// `**values`
    var dictionary: Expression?

    var isEmpty: Bool { positional.isEmpty && keywords.isEmpty && list == nil && dictionary == nil }
}

/// Arithmetic with two operands.
enum BinaryOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "**"
}

/// A link of a chain of comparisons.
enum Comparison: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn = "in"
    case isNotIn = "not in"
}
