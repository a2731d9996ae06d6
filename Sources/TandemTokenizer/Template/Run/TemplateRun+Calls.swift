// SPDX-License-Identifier: Apache-2.0

/// Calls of functions, macros and methods.
extension TemplateRun {
    func call(_ function: TemplateValue, _ arguments: CallArguments) throws(TemplateError) -> TemplateValue {
        switch function {
        case .function(let function): return try call(function, arguments)
        case .loop(let loop): return try recurse(loop, arguments)
        case .undefined(let value): throw failure(value.message)
        default: throw failure("a \(function.typeName) cannot be called")
        }
    }

    private func call(
        _ function: FunctionValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        switch function {
        case .range: return try makeRange(arguments)
        case .dictionary: return try dictionary(try entries(arguments))
        case .dictionaryFromKeys:
            let values = try bind(arguments, ["keys", "value"], required: 1, of: "fromkeys")
            let keys = try iterate(values[0] ?? .none)
            return try dictionary(keys.map { ($0, values[1] ?? .none) })
        case .namespace:
            var attributes: [(name: TemplateText, value: TemplateValue)] = []
            for (key, value) in try entries(arguments) {
                guard case .text(let name) = key else { throw failure("attributes must have names") }
                try checkAttribute(name)
                attributes.append((name, value))
            }
            return .namespace(makeNamespace(attributes))
        case .raiseException:
            let message = try bind(arguments, ["message"], required: 1, of: "raise_exception")[0] ?? .none
            throw .refused(
                message: try string(message).string, line: Int(position.line), column: Int(position.column))
        case .formatNow:
            let format = try bind(arguments, ["format"], required: 1, of: "strftime_now")[0] ?? .none
            return try formatNow(format)
        case .method(let receiver, let name): return try call(name, of: receiver, arguments)
        case .macro(let macro): return try deeper { () throws(TemplateError) in try call(macro, arguments) }
        case .loopCycle(let loop):
            guard !arguments.positional.isEmpty else { throw failure("'cycle' needs items") }
            return arguments.positional[loop.index % arguments.positional.count]
        case .loopChanged(let loop):
            if let last = loop.lastChecked {
                let before = TemplateValue.tuple(ItemList(last))
                if try equal(before, .tuple(ItemList(arguments.positional))) { return .boolean(false) }
            }
            loop.lastChecked = arguments.positional
            return .boolean(true)
        }
    }

    /// The values of named parameters; nil for those that are not given.
    func bind(
        _ arguments: CallArguments, _ names: [String], required: Int = 0, of function: String
    ) throws(TemplateError) -> [TemplateValue?] {
        guard arguments.positional.count <= names.count else {
            throw failure("'\(function)' takes at most \(names.count) arguments")
        }
        var values = arguments.positional.map(Optional.some)
        values += Array(repeating: nil, count: names.count - values.count)
        for (name, value) in arguments.keywords {
            guard let place = names.firstIndex(of: name) else {
                throw failure("'\(function)' has no argument '\(name)'")
            }
            guard values[place] == nil else {
                throw failure("'\(function)' is given its argument '\(name)' twice")
            }
            values[place] = value
        }
        for place in 0..<required where values[place] == nil {
            throw failure("'\(function)' lacks its argument '\(names[place])'")
        }
        return values
    }

    private func makeRange(_ arguments: CallArguments) throws(TemplateError) -> TemplateValue {
        guard arguments.keywords.isEmpty, (1...3).contains(arguments.positional.count) else {
            throw failure("'range' takes one to three integers")
        }
        var bounds: [Int] = []
        for value in arguments.positional {
            guard let index = value.index else {
                throw failure("'range' takes integers, not \(value.typeName)")
            }
            bounds.append(index)
        }
        let start = bounds.count > 1 ? bounds[0] : 0
        let stop = bounds.count > 1 ? bounds[1] : bounds[0]
        let step = bounds.count > 2 ? bounds[2] : 1
        guard step != 0 else { throw failure("the step of a range is zero") }
        let distance =
            step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
        let count =
            distance.overflow
            ? UInt(Int.max)
            : distance.partialValue <= 0 ? 0 : UInt(distance.partialValue - 1) / step.magnitude + 1
        guard count <= UInt(TemplateLimits.rangeLength) else {
            throw .limitExceeded(
                what: "items of a range", limit: TemplateLimits.rangeLength, line: Int(position.line),
                column: Int(position.column))
        }
        return .range(RangeValue(start: start, stop: stop, step: step, count: Int(count)))
    }

    /// The entries that `dict(…)` is asked to hold.
    private func entries(
        _ arguments: CallArguments
    ) throws(TemplateError) -> [(key: TemplateValue, value: TemplateValue)] {
        guard arguments.positional.count <= 1 else { throw failure("at most one mapping can be given") }
        var entries: [(key: TemplateValue, value: TemplateValue)] = []
        if let source = arguments.positional.first {
            if case .dictionary(let dictionary) = source {
                entries = dictionary.entries
            } else {
                for item in try iterate(source) {
                    let pair = try iterate(item)
                    guard pair.count == 2 else { throw failure("an entry has \(pair.count) parts, not 2") }
                    entries.append((pair[0], pair[1]))
                }
            }
        }
        return entries + arguments.keywords.map { (.text($0.name), $0.value) }
    }

    private func recurse(_ loop: LoopState, _ arguments: CallArguments) throws(TemplateError) -> TemplateValue
    {
        guard loop.definition.isRecursive else {
            throw failure("only a loop marked 'recursive' can be called")
        }
        let values = try bind(arguments, ["iterable"], required: 1, of: "loop")
        let items = try iterate(values[0] ?? .none)
        return try deeper { () throws(TemplateError) in
            .text(
                try capture { () throws(TemplateError) in
                    try runLoop(loop.definition, over: items, depth: loop.depth + 1, in: loop.scope)
                })
        }
    }

    // MARK: - Macros

    private func call(_ macro: MacroValue, _ arguments: CallArguments) throws(TemplateError) -> TemplateValue
    {
        let definition = macro.definition
        let scope = Scope(parent: macro.scope)
        var keywords = arguments.keywords
        for (index, parameter) in definition.parameters.enumerated() {
            if index < arguments.positional.count {
                scope.set(parameter.name, arguments.positional[index])
            } else if let place = keywords.firstIndex(where: { $0.name == parameter.name }) {
                scope.set(parameter.name, keywords.remove(at: place).value)
            } else if let value = parameter.value {
                scope.set(parameter.name, try evaluate(value, in: scope))
            } else {
                let message = "the parameter '\(parameter.name)' was not given"
                scope.set(parameter.name, .undefined(UndefinedValue(message: message)))
            }
        }
        if definition.usesCaller, !definition.parameters.contains(where: { $0.name == "caller" }) {
            if let place = keywords.firstIndex(where: { $0.name == "caller" }) {
                scope.set("caller", keywords.remove(at: place).value)
            } else {
                scope.set("caller", .undefined(UndefinedValue(message: "there is no caller")))
            }
        }
        if definition.usesExtraKeywords {
            scope.set("kwargs", try dictionary(keywords.map { (.text($0.name), $0.value) }))
        } else if let extra = keywords.first {
            throw failure("the macro '\(definition.name)' has no parameter '\(extra.name)'")
        }
        let rest = Array(arguments.positional.dropFirst(definition.parameters.count))
        if definition.usesExtraPositional {
            scope.set("varargs", try tuple(rest))
        } else if !rest.isEmpty {
            throw failure(
                "the macro '\(definition.name)' takes at most \(definition.parameters.count) arguments")
        }
        return .text(
            try capture { () throws(TemplateError) in _ = try execute(definition.body, in: scope) })
    }
}
