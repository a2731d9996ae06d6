// SPDX-License-Identifier: Apache-2.0

extension TemplateRun {
    func evaluate(_ expression: Expression, in scope: Scope) throws(TemplateError) -> TemplateValue {
        try step()
        switch expression.kind {
        case .literal(let literal): return value(of: literal)
        case .name(let name): return scope[name] ?? UndefinedValue.name(name)
        case .blockText: return blockText
        default: break
        }
        try enter()
        defer { leave() }
        return try evaluateCompound(expression, in: scope)
    }

    private func value(of literal: Literal) -> TemplateValue {
        switch literal {
        case .none: .none
        case .boolean(let flag): .boolean(flag)
        case .integer(let number): .integer(number)
        case .float(let number): .float(number)
        case .text(let text): .text(text)
        }
    }

    private func evaluateCompound(
        _ expression: Expression, in scope: Scope
    ) throws(TemplateError) -> TemplateValue {
        switch expression.kind {
        case .and(let left, let right):
            let value = try evaluate(left, in: scope)
            return value.isTrue ? try evaluate(right, in: scope) : value
        case .or(let left, let right):
            let value = try evaluate(left, in: scope)
            return value.isTrue ? value : try evaluate(right, in: scope)
        case .not(let operand): return .boolean(!(try evaluate(operand, in: scope).isTrue))
        case .conditional(let test, let then, let otherwise):
            if try evaluate(test, in: scope).isTrue { return try evaluate(then, in: scope) }
            guard let otherwise else {
                return .undefined(UndefinedValue(message: "the inline if has no else, and its test is false"))
            }
            return try evaluate(otherwise, in: scope)
        case .attribute(let object, let name):
            let value = try evaluate(object, in: scope)
            position = expression.position
            return try attribute(name.text, of: value)
        case .item(let object, let index):
            let value = try evaluate(object, in: scope)
            let key = try evaluate(index, in: scope)
            position = expression.position
            return try item(key, of: value)
        case .call(let callee, let arguments):
            return try evaluateCall(callee, arguments, at: expression.position, in: scope)
        case .filter(let input, let filter, let arguments):
            return try evaluateFilter(input, filter, arguments, at: expression.position, in: scope)
        case .test(let input, let test, let arguments):
            return try evaluateTest(input, test, arguments, at: expression.position, in: scope)
        default: return try evaluateOperation(expression, in: scope)
        }
    }

    private func evaluateCall(
        _ callee: Expression, _ arguments: Arguments, at place: TemplatePosition, in scope: Scope
    ) throws(TemplateError) -> TemplateValue {
        let function = try evaluate(callee, in: scope)
        let values = try evaluate(arguments, in: scope)
        position = place
        return try call(function, values)
    }

    private func evaluateFilter(
        _ input: Expression, _ filter: FilterName, _ arguments: Arguments, at place: TemplatePosition,
        in scope: Scope
    ) throws(TemplateError) -> TemplateValue {
        let value = try evaluate(input, in: scope)
        let values = try evaluate(arguments, in: scope)
        position = place
        return try apply(filter, to: value, values)
    }

    private func evaluateTest(
        _ input: Expression, _ test: TestName, _ arguments: Arguments, at place: TemplatePosition,
        in scope: Scope
    ) throws(TemplateError) -> TemplateValue {
        let value = try evaluate(input, in: scope)
        let values = try evaluate(arguments, in: scope)
        position = place
        return .boolean(try holds(test, for: value, values))
    }

    private func evaluateOperation(
        _ expression: Expression, in scope: Scope
    ) throws(TemplateError) -> TemplateValue {
        switch expression.kind {
        case .list(let items): return try list(try evaluate(items, in: scope))
        case .tuple(let items): return try tuple(try evaluate(items, in: scope))
        case .dictionary(let entries):
            var values: [(key: TemplateValue, value: TemplateValue)] = []
            for (key, value) in entries {
                values.append((try evaluate(key, in: scope), try evaluate(value, in: scope)))
            }
            position = expression.position
            return try dictionary(values)
        case .slice(let object, let start, let stop, let step):
            let value = try evaluate(object, in: scope)
            let bounds = try [start, stop, step].map { (bound) throws(TemplateError) -> TemplateValue in
                guard let bound else { return .none }
                return try evaluate(bound, in: scope)
            }
            position = expression.position
            return try slice(value, start: bounds[0], stop: bounds[1], step: bounds[2])
        case .negate(let operand):
            let value = try evaluate(operand, in: scope)
            position = expression.position
            return try negate(value)
        case .plus(let operand):
            let value = try evaluate(operand, in: scope)
            position = expression.position
            return try plus(value)
        case .binary(let operation, let left, let right):
            let first = try evaluate(left, in: scope)
            let second = try evaluate(right, in: scope)
            position = expression.position
            return try compute(operation, first, second)
        case .compare(let first, let links):
            var left = try evaluate(first, in: scope)
            for (operation, operand) in links {
                let right = try evaluate(operand, in: scope)
                position = expression.position
                guard try compare(operation, left, right) else { return .boolean(false) }
                left = right
            }
            return .boolean(true)
        case .concatenate(let parts):
            var units: [UInt32] = []
            for part in parts {
                let piece = try string(try evaluate(part, in: scope)).units
                try charge(piece.count)
                units += piece
            }
            return .text(TemplateText(units: units))
        default: return .none
        }
    }

    func evaluate(_ expressions: [Expression], in scope: Scope) throws(TemplateError) -> [TemplateValue] {
        var values: [TemplateValue] = []
        values.reserveCapacity(expressions.count)
        for expression in expressions { values.append(try evaluate(expression, in: scope)) }
        return values
    }

    func evaluate(_ arguments: Arguments, in scope: Scope) throws(TemplateError) -> CallArguments {
        if arguments.isEmpty { return CallArguments() }
        var values = CallArguments(positional: try evaluate(arguments.positional, in: scope))
        for (name, value) in arguments.keywords {
            values.keywords.append((name, try evaluate(value, in: scope)))
        }
        if let list = arguments.list {
            values.positional += try iterate(try evaluate(list, in: scope))
        }
        if let dictionary = arguments.dictionary {
            guard case .dictionary(let entries) = try evaluate(dictionary, in: scope) else {
                throw failure("what follows ** is no mapping")
            }
            for entry in entries.entries {
                guard case .text(let name) = entry.key else { throw failure("keywords must be strings") }
                guard !values.keywords.contains(where: { $0.name == name.string }) else {
                    throw failure("the argument '\(name.string)' stands twice")
                }
                values.keywords.append((name.string, entry.value))
            }
        }
        return values
    }
}
