// SPDX-License-Identifier: Apache-2.0

/// One token of a template, with the place in the source where it starts.
struct TemplateToken {
    enum Kind: Equatable {
        /// Text between tags, after white space control.
        case data([UInt32])
        case printBegin
        case printEnd
        case tagBegin
        case tagEnd
        case name(String)
        case text([UInt32])
        case integer(Int)
        case float(Double)
        case symbol(Symbol)
        case end
    }

    /// Operators and brackets.
    enum Symbol: String, CaseIterable {
        case floorDivide = "//"
        case power = "**"
        case equal = "=="
        case notEqual = "!="
        case greaterOrEqual = ">="
        case lessOrEqual = "<="
        case add = "+"
        case subtract = "-"
        case divide = "/"
        case multiply = "*"
        case remainder = "%"
        case tilde = "~"
        case leftBracket = "["
        case rightBracket = "]"
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case leftBrace = "{"
        case rightBrace = "}"
        case greater = ">"
        case less = "<"
        case assign = "="
        case dot = "."
        case colon = ":"
        case pipe = "|"
        case comma = ","
        case semicolon = ";"
    }

    let kind: Kind
    let offset: Int
}

extension TemplateToken.Kind {
    /// The token as messages name it.
    var description: String {
        switch self {
        case .data: "text"
        case .printBegin: "'{{'"
        case .printEnd: "'}}'"
        case .tagBegin: "'{%'"
        case .tagEnd: "'%}'"
        case .name(let name): "'\(name)'"
        case .text: "a string"
        case .integer, .float: "a number"
        case .symbol(let symbol): "'\(symbol.rawValue)'"
        case .end: "the end of the template"
        }
    }
}
