// SPDX-License-Identifier: Apache-2.0

/// Expressions, from those that bind least to those that bind most.
extension TemplateParser {
    /// One expression, or a tuple of several with commas between them.
    mutating func expressions(
        allowsCondition: Bool = true, ends: Set<String> = [], inParentheses: Bool = false
    ) throws(TemplateError) -> Expression {
        let place = position
        var items: [Expression] = []
        var isTuple = false
        while true {
            if atTupleEnd(ends) { break }
            items.append(try allowsCondition ? expression() : disjunction())
            guard skip(.comma) else { break }
            isTuple = true
        }
        if !isTuple, let only = items.first { return only }
        guard isTuple || inParentheses else { throw unexpected("an expression is expected") }
        return Expression(kind: .tuple(items), position: place)
    }

    func atTupleEnd(_ ends: Set<String>) -> Bool {
        switch current {
        case .printEnd, .tagEnd, .symbol(.rightParenthesis): true
        case .name(let name): ends.contains(name)
        default: false
        }
    }

    mutating func expression() throws(TemplateError) -> Expression {
        try nested { (parser) throws(TemplateError) in try parser.conditional() }
    }

    private mutating func conditional() throws(TemplateError) -> Expression {
        var value = try disjunction()
        while isName("if") {
            let place = position
            advance()
            let test = try disjunction()
            let otherwise = skip(name: "else") ? try expression() : nil
            value = Expression(
                kind: .conditional(test: test, then: value, otherwise: otherwise), position: place)
        }
        return value
    }

    private mutating func disjunction() throws(TemplateError) -> Expression {
        try chain { (parser) throws(TemplateError) in
            try parser.conjunction()
        } link: { (parser) throws(TemplateError) in
            let place = parser.position
            guard parser.skip(name: "or") else { return nil }
            let right = try parser.conjunction()
            return { Expression(kind: .or($0, right), position: place) }
        }
    }

    private mutating func conjunction() throws(TemplateError) -> Expression {
        try chain { (parser) throws(TemplateError) in
            try parser.negation()
        } link: { (parser) throws(TemplateError) in
            let place = parser.position
            guard parser.skip(name: "and") else { return nil }
            let right = try parser.negation()
            return { Expression(kind: .and($0, right), position: place) }
        }
    }

    /// Reads operands with operators between them, bound from the left.
    ///
    /// A chain of n operators is n levels deep, so it counts as that.
    private mutating func chain(
        _ first: (inout TemplateParser) throws(TemplateError) -> Expression,
        link: (inout TemplateParser) throws(TemplateError) -> ((Expression) -> Expression)?
    ) throws(TemplateError) -> Expression {
        var value = try first(&self)
        var length = 0
        while let extend = try link(&self) {
            value = extend(value)
            length += 1
            guard length <= TemplateLimits.syntaxDepth else {
                let position = position
                throw .limitExceeded(
                    what: "operators in a row", limit: TemplateLimits.syntaxDepth, line: Int(position.line),
                    column: Int(position.column))
            }
        }
        return value
    }

    private mutating func negation() throws(TemplateError) -> Expression {
        let place = position
        guard skip(name: "not") else { return try comparison() }
        return try nested { (parser) throws(TemplateError) in
            Expression(kind: .not(try parser.negation()), position: place)
        }
    }

    private mutating func comparison() throws(TemplateError) -> Expression {
        let place = position
        let first = try sum()
        var links: [(operation: Comparison, operand: Expression)] = []
        while let operation = comparisonOperator() { links.append((operation, try sum())) }
        return links.isEmpty ? first : Expression(kind: .compare(first, links), position: place)
    }

    private mutating func comparisonOperator() -> Comparison? {
        switch current {
        case .symbol(let symbol):
            guard let operation = Comparison(rawValue: symbol.rawValue) else { return nil }
            advance()
            return operation
        case .name("in"):
            advance()
            return .isIn
        case .name("not") where next == .name("in"):
            advance()
            advance()
            return .isNotIn
        default: return nil
        }
    }

    private mutating func arithmetic(
        _ operators: Set<TemplateToken.Symbol>,
        _ operand: (inout TemplateParser) throws(TemplateError) -> Expression
    ) throws(TemplateError) -> Expression {
        try chain(operand) { (parser) throws(TemplateError) in
            guard case .symbol(let symbol) = parser.current, operators.contains(symbol),
                let operation = BinaryOperator(rawValue: symbol.rawValue)
            else { return nil }
            let place = parser.position
            parser.advance()
            let right = try operand(&parser)
            return { Expression(kind: .binary(operation, $0, right), position: place) }
        }
    }

    private mutating func sum() throws(TemplateError) -> Expression {
        try arithmetic([.add, .subtract]) { (parser) throws(TemplateError) in try parser.concatenation() }
    }

    private mutating func concatenation() throws(TemplateError) -> Expression {
        let place = position
        var parts = [try product()]
        while skip(.tilde) { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : Expression(kind: .concatenate(parts), position: place)
    }

    private mutating func product() throws(TemplateError) -> Expression {
        try arithmetic([.multiply, .divide, .floorDivide, .remainder]) { (parser) throws(TemplateError) in
            try parser.power()
        }
    }

    private mutating func power() throws(TemplateError) -> Expression {
        try arithmetic([.power]) { (parser) throws(TemplateError) in try parser.unary(withFilters: true) }
    }

    private mutating func unary(withFilters: Bool) throws(TemplateError) -> Expression {
        let place = position
        var value: Expression
        if isSymbol(.subtract) || isSymbol(.add) {
            let isNegation = isSymbol(.subtract)
            advance()
            value = try nested { (parser) throws(TemplateError) in try parser.unary(withFilters: false) }
            value = Expression(kind: isNegation ? .negate(value) : .plus(value), position: place)
        } else {
            value = try primary()
        }
        value = try postfix(value)
        return withFilters ? try filtersAndTests(of: value) : value
    }
}
