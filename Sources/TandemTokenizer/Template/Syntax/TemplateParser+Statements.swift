// SPDX-License-Identifier: Apache-2.0

extension TemplateParser {
    mutating func assignment() throws(TemplateError) -> Statement.Kind {
        let target = try assignmentTarget(allowsAttribute: true, ends: [])
        if skip(.assign) { return .set(target, try expressions()) }
        var filter: Expression?
        if isSymbol(.pipe) {
            filter = try filters(of: Expression(kind: .blockText, position: position))
        }
        return .setBlock(target, filter: filter, body: try block(until: ["endset"]).body)
    }

    mutating func loop(at position: TemplatePosition) throws(TemplateError) -> Statement.Kind {
        let target = try assignmentTarget(allowsAttribute: false, ends: ["in"])
        try expect(.name("in"))
        let items = try expressions(allowsCondition: false, ends: ["recursive"])
        let condition = skip(name: "if") ? try expression() : nil
        let isRecursive = skip(name: "recursive")
        loops += 1
        var (body, end) = try block(until: ["endfor", "else"])
        loops -= 1
        var otherwise: [Statement] = []
        if end == "else" { (otherwise, end) = try block(until: ["endfor"]) }
        return .loop(
            LoopDefinition(
                target: target, items: items, condition: condition, isRecursive: isRecursive, body: body,
                otherwise: otherwise, position: position))
    }

    mutating func branch() throws(TemplateError) -> Statement.Kind {
        var branches: [(test: Expression, body: [Statement])] = []
        while true {
            let test = try expressions(allowsCondition: false)
            let (body, end) = try block(until: ["elif", "else", "endif"])
            branches.append((test, body))
            switch end {
            case "elif": continue
            case "else": return .branch(branches, otherwise: try block(until: ["endif"]).body)
            default: return .branch(branches, otherwise: [])
            }
        }
    }

    mutating func macro() throws(TemplateError) -> Statement.Kind {
        .macro(try macroDefinition(name: try assignableName(), end: "endmacro"))
    }

    mutating func callBlock(at position: TemplatePosition) throws(TemplateError) -> Statement.Kind {
        var parameters: [(name: String, value: Expression?)] = []
        if isSymbol(.leftParenthesis) { parameters = try signature() }
        let call = try expression()
        guard case .call = call.kind else { throw .syntax("a call is expected", at: call.position) }
        return .callBlock(call, try macroDefinition(name: "caller", parameters: parameters, end: "endcall"))
    }

    private mutating func macroDefinition(
        name: String, parameters: [(name: String, value: Expression?)]? = nil, end: String
    ) throws(TemplateError) -> MacroDefinition {
        mentions.append([])
        let own: [(name: String, value: Expression?)]
        if let parameters { own = parameters } else { own = try signature() }
        let body = try macroBody { (parser) throws(TemplateError) in try parser.block(until: [end]).body }
        return MacroDefinition(name: name, parameters: own, body: body, mentions: mentions.removeLast())
    }

    private mutating func signature() throws(TemplateError) -> [(name: String, value: Expression?)] {
        var parameters: [(name: String, value: Expression?)] = []
        try expect(.symbol(.leftParenthesis))
        while !isSymbol(.rightParenthesis) {
            if !parameters.isEmpty { try expect(.symbol(.comma)) }
            let place = position
            let name = try assignableName()
            if parameters.contains(where: { $0.name == name }) {
                throw .syntax("the parameter '\(name)' stands twice", at: place)
            }
            if skip(.assign) {
                parameters.append((name, try expression()))
            } else if parameters.last?.value != nil {
                throw .syntax("the parameter '\(name)' needs a default, like the one before", at: place)
            } else {
                parameters.append((name, nil))
            }
        }
        advance()
        return parameters
    }

    mutating func filterBlock() throws(TemplateError) -> Statement.Kind {
        let text = Expression(kind: .blockText, position: position)
        let filter = try filters(of: text, startsWithName: true)
        return .filterBlock(filter, body: try block(until: ["endfilter"]).body)
    }

    mutating func with() throws(TemplateError) -> Statement.Kind {
        var values: [(target: AssignmentTarget, value: Expression)] = []
        while current != .tagEnd {
            if !values.isEmpty { try expect(.symbol(.comma)) }
            let target = try assignmentTarget(allowsAttribute: false, ends: [])
            try expect(.symbol(.assign))
            values.append((target, try expression()))
        }
        return .with(values, body: try block(until: ["endwith"]).body)
    }

    mutating func printStatement() throws(TemplateError) -> Statement.Kind {
        var values: [Expression] = []
        while current != .tagEnd {
            if !values.isEmpty { try expect(.symbol(.comma)) }
            values.append(try expression())
        }
        return .print(values)
    }

    // MARK: - Targets

    private static let constants: Set<String> = ["true", "false", "none", "True", "False", "None"]

    private mutating func assignableName() throws(TemplateError) -> String {
        let place = position
        let name = try expectName()
        guard !Self.constants.contains(name) else {
            throw .syntax("'\(name)' cannot be assigned to", at: place)
        }
        return name
    }

    /// One target, or several with commas between them.
    private mutating func assignmentTarget(
        allowsAttribute: Bool, ends: Set<String>
    ) throws(TemplateError) -> AssignmentTarget {
        var targets: [AssignmentTarget] = []
        var isTuple = false
        while true {
            if isTuple, atTupleEnd(ends) || isSymbol(.assign) { break }
            targets.append(try oneTarget(allowsAttribute: allowsAttribute))
            guard skip(.comma) else { break }
            isTuple = true
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func oneTarget(allowsAttribute: Bool) throws(TemplateError) -> AssignmentTarget {
        if skip(.leftParenthesis) {
            return try nested { (parser) throws(TemplateError) in
                let target = try parser.assignmentTarget(allowsAttribute: allowsAttribute, ends: [])
                try parser.expect(.symbol(.rightParenthesis))
                return target
            }
        }
        let name = try assignableName()
        if allowsAttribute, skip(.dot) { return .attribute(name, AttributeName(try expectName())) }
        return .name(name)
    }
}
