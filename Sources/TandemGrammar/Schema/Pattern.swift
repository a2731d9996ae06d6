// SPDX-License-Identifier: Apache-2.0

/// A regular expression of a JSON Schema.
indirect enum Pattern {
    case set(ScalarSet)
    case sequence([Pattern])
    case choice([Pattern])
    case repeated(Pattern, least: Int, most: Int?)
    /// `^`
    case start
    /// `$`
    case end

    /// How many characters a match has, those around an unanchored match included.
    var lengths: (least: Int, most: Int?) {
        guard case .choice(let branches) = self else { return (0, nil) }
        var least = Int.max
        var most: Int? = 0
        for branch in branches {
            let (body, opens, closes) = Self.unanchored(branch)
            let inside = body.ownLengths
            least = min(least, inside.least)
            most = opens || closes ? nil : Self.combine(most, inside.most, max)
        }
        return (branches.isEmpty ? 0 : least, most)
    }

    /// The contents of a JSON string that holds a match.
    func expression(anyCharacter: Expression) -> Expression {
        guard case .choice(let branches) = self else { return .nothing }
        return .choice(
            branches.map { branch in
                let (body, opens, closes) = Self.unanchored(branch)
                var parts: [Expression] = []
                if opens { parts.append(.any(anyCharacter)) }
                parts.append(body.ownExpression)
                if closes { parts.append(.any(anyCharacter)) }
                return .sequence(parts)
            })
    }

    /// A branch without its anchors, and whether anything may stand before and after it.
    private static func unanchored(_ branch: Pattern) -> (body: Pattern, opens: Bool, closes: Bool) {
        guard case .sequence(var parts) = branch else { return (branch, true, true) }
        var opens = true
        var closes = true
        if case .start? = parts.first {
            parts.removeFirst()
            opens = false
        }
        if case .end? = parts.last {
            parts.removeLast()
            closes = false
        }
        return (.sequence(parts), opens, closes)
    }

    private var ownLengths: (least: Int, most: Int?) {
        switch self {
        case .set: return (1, 1)
        case .start, .end: return (0, 0)
        case .sequence(let parts):
            return parts.reduce((0, 0)) { sum, part in
                let own = part.ownLengths
                return (Self.limited(sum.0 + own.least), Self.combine(sum.1, own.most, +))
            }
        case .choice(let parts):
            let all = parts.map(\.ownLengths)
            let most = all.reduce(Optional(0)) { Self.combine($0, $1.most, max) }
            return (all.map(\.least).min() ?? 0, most)
        case .repeated(let part, let least, let most):
            let own = part.ownLengths
            let isEmpty = own.most == 0
            return (
                Self.limited(own.least * least), isEmpty ? 0 : most.flatMap { Self.combine(own.most, $0, *) }
            )
        }
    }

    private static func combine(_ a: Int?, _ b: Int?, _ operation: (Int, Int) -> Int) -> Int? {
        guard let a, let b else { return nil }
        return limited(operation(a, b))
    }

    /// Keeps sums and products of lengths far from overflow.
    private static func limited(_ value: Int) -> Int { min(value, 1 << 30) }

    private var ownExpression: Expression {
        switch self {
        case .set(let set): JSONText.character(of: set)
        case .sequence(let parts): .sequence(parts.map(\.ownExpression))
        case .choice(let parts): .choice(parts.map(\.ownExpression))
        case .repeated(let part, let least, let most):
            .repeated(part.ownExpression, least: least, most: most)
        case .start, .end: .empty
        }
    }
}
