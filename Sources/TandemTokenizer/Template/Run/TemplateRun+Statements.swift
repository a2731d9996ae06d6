// SPDX-License-Identifier: Apache-2.0

extension TemplateRun {
    /// How a row of statements ended.
    enum Outcome {
        case finished, breakLoop, continueLoop
    }

    func execute(_ statements: [Statement], in scope: Scope) throws(TemplateError) -> Outcome {
        for statement in statements {
            let outcome = try execute(statement, in: scope)
            if outcome != .finished { return outcome }
        }
        return .finished
    }

    private func execute(_ statement: Statement, in scope: Scope) throws(TemplateError) -> Outcome {
        try step()
        try enter()
        defer { leave() }
        position = statement.position
        switch statement.kind {
        case .data(let units): try emit(units)
        case .print(let values):
            for value in values { try emit(try string(try evaluate(value, in: scope)).units) }
        case .set(let target, let value): try assign(try evaluate(value, in: scope), to: target, in: scope)
        case .setBlock(let target, let filter, let body):
            return try assignBlock(target, filter: filter, body: body, in: scope)
        case .loop(let definition): try runLoop(definition, in: scope)
        case .branch(let branches, let otherwise):
            for (test, body) in branches where try evaluate(test, in: scope).isTrue {
                return try execute(body, in: scope)
            }
            return try execute(otherwise, in: scope)
        case .macro(let definition):
            retain(scope)
            scope.set(definition.name, .function(.macro(MacroValue(definition: definition, scope: scope))))
        case .callBlock(let call, let definition): try runCallBlock(call, definition, in: scope)
        case .filterBlock(let filter, let body): return try runFilterBlock(filter, body, in: scope)
        case .with(let values, let body):
            let inner = Scope(parent: scope)
            for (target, value) in values {
                try assign(try evaluate(value, in: scope), to: target, in: inner)
            }
            return try execute(body, in: inner)
        case .generation(let body): _ = try execute(body, in: Scope(parent: scope))
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .finished
    }

    private func emit(_ units: [UInt32]) throws(TemplateError) {
        try charge(units.count)
        output += units
    }

    // MARK: - Assignments

    func assign(
        _ value: TemplateValue, to target: AssignmentTarget, in scope: Scope
    ) throws(TemplateError) {
        switch target {
        case .name(let name): scope.set(name, value)
        case .attribute(let name, let attribute):
            guard case .namespace(let namespace)? = scope[name] else {
                throw failure("an attribute of '\(name)' is set, but that is no namespace")
            }
            try checkAttribute(attribute.text)
            namespace[attribute.text] = value
        case .tuple(let targets):
            let items = try iterate(value)
            guard items.count == targets.count else {
                throw failure("\(items.count) values cannot be unpacked into \(targets.count) names")
            }
            for (target, item) in zip(targets, items) { try assign(item, to: target, in: scope) }
        }
    }

    /// Names of attributes must not start with an underscore.
    func checkAttribute(_ name: TemplateText) throws(TemplateError) {
        if name.hasPrefix([0x5F]) {
            throw failure("a namespace cannot hold '\(name.string)', a name that starts with an underscore")
        }
    }

    private func assignBlock(
        _ target: AssignmentTarget, filter: Expression?, body: [Statement], in scope: Scope
    ) throws(TemplateError) -> Outcome {
        var outcome = Outcome.finished
        let inner = Scope(parent: scope)
        let printed = try capture { () throws(TemplateError) in outcome = try execute(body, in: inner) }
        guard outcome == .finished else { return outcome }
        let text = TemplateValue.text(printed)
        try assign(
            try filter.map { (filter) throws(TemplateError) in
                try apply(filter, to: text, in: inner)
            } ?? text, to: target, in: scope)
        return .finished
    }

    private func runFilterBlock(
        _ filter: Expression, _ body: [Statement], in scope: Scope
    ) throws(TemplateError) -> Outcome {
        var outcome = Outcome.finished
        let inner = Scope(parent: scope)
        let printed = try capture { () throws(TemplateError) in outcome = try execute(body, in: inner) }
        guard outcome == .finished else { return outcome }
        try emit(try string(try apply(filter, to: .text(printed), in: inner)).units)
        return .finished
    }

    private func apply(
        _ filter: Expression, to text: TemplateValue, in scope: Scope
    ) throws(TemplateError) -> TemplateValue {
        let outer = blockText
        blockText = text
        defer { blockText = outer }
        return try evaluate(filter, in: scope)
    }

    // MARK: - Loops

    private func runLoop(_ definition: LoopDefinition, in scope: Scope) throws(TemplateError) {
        let values = try iterate(try evaluate(definition.items, in: scope))
        try runLoop(definition, over: values, depth: 0, in: scope)
    }

    /// Runs a loop's body for each value; recursive loops call this again.
    func runLoop(
        _ definition: LoopDefinition, over values: [TemplateValue], depth: Int, in scope: Scope
    ) throws(TemplateError) {
        var items = values
        if let condition = definition.condition {
            items = []
            for value in values {
                let inner = Scope(parent: scope)
                try assign(value, to: definition.target, in: inner)
                if try evaluate(condition, in: inner).isTrue { items.append(value) }
            }
        }
        let state = LoopState(definition: definition, scope: scope, items: items, depth: depth)
        var ranToEnd = false
        for index in items.indices {
            try step()
            state.index = index
            let inner = Scope(parent: scope)
            inner.set("loop", .loop(state))
            position = definition.position
            try assign(items[index], to: definition.target, in: inner)
            let outcome = try execute(definition.body, in: inner)
            if outcome == .breakLoop { break }
            if outcome == .finished { ranToEnd = true }
        }
        // As jinja2 compiles it, a loop counts as run once its body was left by the end.
        if !ranToEnd { _ = try execute(definition.otherwise, in: Scope(parent: scope)) }
    }

    private func runCallBlock(
        _ call: Expression, _ definition: MacroDefinition, in scope: Scope
    ) throws(TemplateError) {
        guard case .call(let callee, let arguments) = call.kind else { return }
        retain(scope)
        var values = try evaluate(arguments, in: scope)
        let function = try evaluate(callee, in: scope)
        let caller = MacroValue(definition: definition, scope: scope)
        values.keywords.append(("caller", .function(.macro(caller))))
        position = call.position
        try emit(try string(try self.call(function, values)).units)
    }
}
