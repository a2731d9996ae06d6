// SPDX-License-Identifier: Apache-2.0

/// Why a grammar or a JSON Schema was refused, and where.
///
/// Lines and columns count from 1, columns in Unicode scalars. Pointers are JSON pointers into the schema (RFC 6901), as
/// fragments: `#` is the whole.
public enum GrammarError: Error, Sendable, Equatable {
    /// The text of a grammar is not GBNF.
    case syntax(line: Int, column: Int, problem: String)
    /// A rule is used, but nowhere defined.
    case undefinedRule(name: String, line: Int, column: Int)
    /// A rule is defined a second time.
    case duplicateRule(name: String, line: Int, column: Int)
    /// No rule is called `root`.
    case missingRoot
    /// A rule can begin with itself; `cycle` leads from it back to it.
    case leftRecursion(cycle: [String])
    /// No finite text matches.
    case matchesNothing
    /// A schema is not what JSON Schema asks for.
    case invalidSchema(pointer: String, problem: String)
    /// A schema uses what this library cannot enforce.
    case unsupportedSchema(pointer: String, problem: String)
    /// A schema refers to itself without anything in between.
    case referenceCycle(pointer: String)
    /// No value is valid under a schema.
    case unsatisfiableSchema(pointer: String)
    /// The grammar is larger than a limit.
    case tooLarge(what: String, limit: Int)
    /// Matching a text takes more steps or memory than the limit, because the grammar is too ambiguous.
    case tooComplex(what: String, limit: Int)
}

extension GrammarError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .syntax(let line, let column, let problem):
            return "grammar, line \(line), column \(column): \(problem)"
        case .undefinedRule(let name, let line, let column):
            return "grammar, line \(line), column \(column): the rule '\(name)' is not defined"
        case .duplicateRule(let name, let line, let column):
            return "grammar, line \(line), column \(column): the rule '\(name)' is defined twice"
        case .missingRoot:
            return "the grammar has no rule 'root'"
        case .leftRecursion(let cycle):
            return "left recursion: \(cycle.joined(separator: " -> ")); put what recurs last, or use * or +"
        case .matchesNothing:
            return "the grammar matches no finite text"
        case .invalidSchema(let pointer, let problem):
            return "JSON Schema at \(pointer): \(problem)"
        case .unsupportedSchema(let pointer, let problem):
            return "JSON Schema at \(pointer): \(problem)"
        case .referenceCycle(let pointer):
            return "JSON Schema at \(pointer): the schema refers to itself with nothing in between"
        case .unsatisfiableSchema(let pointer):
            return "JSON Schema at \(pointer): no value is valid"
        case .tooLarge(let what, let limit):
            return "the grammar has more than \(limit) \(what)"
        case .tooComplex(let what, let limit):
            return "the grammar is too ambiguous: matching takes more than \(limit) \(what)"
        }
    }
}
