// SPDX-License-Identifier: Apache-2.0

/// What a rule of a grammar matches.
indirect enum Expression: Sendable, Equatable {
    /// These bytes of UTF-8, one after the other; none match the empty text.
    case bytes([UInt8])
    /// One Unicode scalar of a set.
    case scalar(ScalarSet)
    case sequence([Expression])
    /// Any one of these; an empty choice matches nothing at all.
    case choice([Expression])
    /// `least` to `most` times, without end when `most` is nil.
    case repeated(Expression, least: Int, most: Int?)
    /// The rule with this index.
    case rule(Int)

    static var empty: Expression { .bytes([]) }
    static var nothing: Expression { .choice([]) }

    static func text(_ text: String) -> Expression { .bytes(Array(text.utf8)) }

    static func optional(_ part: Expression) -> Expression { .repeated(part, least: 0, most: 1) }

    static func any(_ part: Expression) -> Expression { .repeated(part, least: 0, most: nil) }

    /// The same with every rule's index raised by `offset`.
    func shifted(by offset: Int) -> Expression {
        switch self {
        case .bytes, .scalar: self
        case .sequence(let parts): .sequence(parts.map { $0.shifted(by: offset) })
        case .choice(let parts): .choice(parts.map { $0.shifted(by: offset) })
        case .repeated(let part, let least, let most):
            .repeated(part.shifted(by: offset), least: least, most: most)
        case .rule(let index): .rule(index + offset)
        }
    }
}

/// The rules of a grammar, by index.
struct RuleSet: Sendable, Equatable {
    /// What errors call each rule.
    var names: [String] = []
    var bodies: [Expression] = []
    var root = 0

    /// Adds a rule and returns its index.
    mutating func add(_ name: String, _ body: Expression = .nothing) -> Int {
        names.append(name)
        bodies.append(body)
        return bodies.count - 1
    }

    /// Adds the rules of another grammar; returns the expression of its root.
    mutating func add(_ other: RuleSet) -> Expression {
        let offset = bodies.count
        names.append(contentsOf: other.names)
        bodies.append(contentsOf: other.bodies.map { $0.shifted(by: offset) })
        return .rule(other.root + offset)
    }
}
