// SPDX-License-Identifier: Apache-2.0

/// Names, literals, and what follows them: attributes, calls, filters, tests.
extension TemplateParser {
    mutating func primary() throws(TemplateError) -> Expression {
        let place = position
        let kind: Expression.Kind
        switch current {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": kind = .literal(.boolean(true))
            case "false", "False": kind = .literal(.boolean(false))
            case "none", "None": kind = .literal(.none)
            case "cycler", "joiner", "lipsum", "self", "super":
                throw unsupported("'\(name)'", at: place)
            default:
                mention(name)
                kind = .name(name)
            }
        case .text(var units):
            advance()
            while case .text(let more) = current {
                units += more
                advance()
            }
            kind = .literal(.text(TemplateText(units: units)))
        case .integer(let value):
            advance()
            kind = .literal(.integer(value))
        case .float(let value):
            advance()
            kind = .literal(.float(value))
        case .symbol(.leftParenthesis):
            advance()
            let value = try nested { (parser) throws(TemplateError) in
                try parser.expressions(inParentheses: true)
            }
            try expect(.symbol(.rightParenthesis))
            return value
        case .symbol(.leftBracket): kind = .list(try items(until: .rightBracket))
        case .symbol(.leftBrace): kind = try dictionary()
        default: throw unexpected("an expression is expected")
        }
        return Expression(kind: kind, position: place)
    }

    private mutating func items(until end: TemplateToken.Symbol) throws(TemplateError) -> [Expression] {
        advance()
        var items: [Expression] = []
        while !isSymbol(end) {
            if !items.isEmpty {
                try expect(.symbol(.comma))
                if isSymbol(end) { break }
            }
            items.append(try expression())
        }
        advance()
        return items
    }

    private mutating func dictionary() throws(TemplateError) -> Expression.Kind {
        advance()
        var entries: [(key: Expression, value: Expression)] = []
        while !isSymbol(.rightBrace) {
            if !entries.isEmpty {
                try expect(.symbol(.comma))
                if isSymbol(.rightBrace) { break }
            }
            let key = try expression()
            try expect(.symbol(.colon))
            entries.append((key, try expression()))
        }
        advance()
        return .dictionary(entries)
    }

    // MARK: - Attributes, items, calls

    mutating func postfix(_ start: Expression) throws(TemplateError) -> Expression {
        var value = start
        var length = 0
        while let next = try onePostfix(value) {
            value = next
            length += 1
            try checkChain(length)
        }
        return value
    }

    private func checkChain(_ length: Int) throws(TemplateError) {
        guard length <= TemplateLimits.syntaxDepth else {
            throw .limitExceeded(
                what: "operators in a row", limit: TemplateLimits.syntaxDepth, line: Int(position.line),
                column: Int(position.column))
        }
    }

    private mutating func onePostfix(_ value: Expression) throws(TemplateError) -> Expression? {
        let place = position
        switch current {
        case .symbol(.dot):
            advance()
            switch current {
            case .name(let name):
                advance()
                if isSymbol(.leftParenthesis), MethodName.unsupported.contains(name) {
                    throw unsupported("the method '\(name)'", at: place)
                }
                return Expression(kind: .attribute(value, AttributeName(name)), position: place)
            case .integer(let index):
                let item = Expression(kind: .literal(.integer(index)), position: position)
                advance()
                return Expression(kind: .item(value, item), position: place)
            default: throw unexpected("a name or a number is expected")
            }
        case .symbol(.leftBracket):
            advance()
            return Expression(kind: try subscription(of: value, at: place), position: place)
        case .symbol(.leftParenthesis):
            return Expression(kind: .call(value, try arguments()), position: place)
        default: return nil
        }
    }

    private mutating func subscription(
        of value: Expression, at place: TemplatePosition
    ) throws(TemplateError) -> Expression.Kind {
        var start: Expression?
        if !isSymbol(.colon) {
            let index = try expression()
            if skip(.rightBracket) { return .item(value, index) }
            if isSymbol(.comma) {
                var items = [index]
                while skip(.comma) {
                    if isSymbol(.colon) { throw unsupported("a slice among several indices", at: position) }
                    items.append(try expression())
                }
                if isSymbol(.colon) { throw unsupported("a slice among several indices", at: position) }
                try expect(.symbol(.rightBracket))
                return .item(value, Expression(kind: .tuple(items), position: place))
            }
            start = index
        }
        try expect(.symbol(.colon))
        var stop: Expression?
        var step: Expression?
        if !isSymbol(.colon), !isSymbol(.rightBracket) { stop = try expression() }
        if skip(.colon), !isSymbol(.rightBracket) { step = try expression() }
        if isSymbol(.comma) { throw unsupported("a slice among several indices", at: position) }
        try expect(.symbol(.rightBracket))
        return .slice(value, start: start, stop: stop, step: step)
    }

    mutating func arguments() throws(TemplateError) -> Arguments {
        let place = position
        try expect(.symbol(.leftParenthesis))
        var arguments = Arguments()
        var needsComma = false
        func check(_ condition: Bool) throws(TemplateError) {
            guard condition else { throw .syntax("the arguments of this call are out of order", at: place) }
        }
        while !isSymbol(.rightParenthesis) {
            if needsComma {
                try expect(.symbol(.comma))
                if isSymbol(.rightParenthesis) { break }
            }
            if skip(.multiply) {
                try check(arguments.list == nil && arguments.dictionary == nil)
                arguments.list = try expression()
            } else if skip(.power) {
                try check(arguments.dictionary == nil)
                arguments.dictionary = try expression()
            } else if case .name(let name) = current, next == .symbol(.assign) {
                try check(arguments.dictionary == nil)
                guard !arguments.keywords.contains(where: { $0.name == name }) else {
                    throw .syntax("the argument '\(name)' stands twice", at: position)
                }
                advance()
                advance()
                arguments.keywords.append((name, try expression()))
            } else {
                try check(
                    arguments.list == nil && arguments.dictionary == nil && arguments.keywords.isEmpty)
                arguments.positional.append(try expression())
            }
            needsComma = true
        }
        advance()
        return arguments
    }

    // MARK: - Filters and tests

    mutating func filtersAndTests(of start: Expression) throws(TemplateError) -> Expression {
        var value = start
        var length = 0
        while true {
            let place = position
            if isSymbol(.pipe) {
                value = try filters(of: value)
            } else if isName("is") {
                value = try test(of: value)
            } else if isSymbol(.leftParenthesis) {
                value = Expression(kind: .call(value, try arguments()), position: place)
            } else {
                return value
            }
            length += 1
            try checkChain(length)
        }
    }

    /// Reads `|name(…)|name(…)`; the first bar is missing when it starts with a name.
    mutating func filters(
        of start: Expression, startsWithName: Bool = false
    ) throws(TemplateError) -> Expression {
        var value = start
        var length = 0
        while length == 0 && startsWithName || isSymbol(.pipe) {
            if length > 0 || !startsWithName { advance() }
            let place = position
            let name = try dottedName()
            guard let filter = FilterName(rawValue: name) else {
                throw FilterName.unsupported.contains(name)
                    ? unsupported("the filter '\(name)'", at: place)
                    : .syntax("there is no filter '\(name)'", at: place)
            }
            let arguments = isSymbol(.leftParenthesis) ? try arguments() : Arguments()
            try checkNamed(filter, arguments, at: place)
            value = Expression(kind: .filter(value, filter, arguments), position: place)
            length += 1
            try checkChain(length)
        }
        return value
    }

    /// Checks the filter or test whose name is an argument of `map`, `select` and their like.
    private func checkNamed(
        _ filter: FilterName, _ arguments: Arguments, at place: TemplatePosition
    ) throws(TemplateError) {
        let index = filter == .selectattr || filter == .rejectattr ? 1 : 0
        guard filter.takesName, index < arguments.positional.count,
            case .literal(.text(let text)) = arguments.positional[index].kind
        else { return }
        let name = text.string
        if filter == .map, FilterName(rawValue: name) == nil {
            throw unsupported("the filter '\(name)'", at: arguments.positional[index].position)
        } else if filter != .map, TestName(rawValue: name) == nil {
            throw unsupported("the test '\(name)'", at: arguments.positional[index].position)
        }
    }

    private mutating func dottedName() throws(TemplateError) -> String {
        var name = try expectName()
        while skip(.dot) { name += "." + (try expectName()) }
        return name
    }

    private mutating func test(of value: Expression) throws(TemplateError) -> Expression {
        let place = position
        advance()
        let isNegated = skip(name: "not")
        let namePlace = position
        let name = try dottedName()
        guard let test = TestName(rawValue: name) else {
            throw .syntax("there is no test '\(name)'", at: namePlace)
        }
        var arguments = Arguments()
        switch current {
        case .symbol(.leftParenthesis): arguments = try self.arguments()
        case .name("is"): throw .syntax("a test cannot follow a test", at: position)
        case .name("else"), .name("or"), .name("and"): break
        case .name, .text, .integer, .float, .symbol(.leftBracket), .symbol(.leftBrace):
            arguments.positional = [try postfix(try primary())]
        default: break
        }
        let result = Expression(kind: .test(value, test, arguments), position: place)
        return isNegated ? Expression(kind: .not(result), position: place) : result
    }
}
