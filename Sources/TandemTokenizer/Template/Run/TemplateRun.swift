// SPDX-License-Identifier: Apache-2.0

/// One rendering of a template: evaluates its statements within bounds.
///
/// Thread safety: none; a run belongs to one call.
final class TemplateRun {
    /// What has been printed so far into the innermost block that is captured.
    var output: [UInt32] = []
    /// Where evaluation stands, for messages.
    var position = TemplatePosition.start
    /// The text that a block's filter is applied to.
    var blockText = TemplateValue.none
    /// What `strftime_now` formats.
    let time: LocalTime?
    let globals: Scope
    private let unitLimit: Int
    private var steps = 0
    private var units = 0
    private var depth = 0
    /// What may be part of a cycle of references, to be taken apart at the end.
    private var scopes: [Scope] = []
    private var namespaces: [NamespaceValue] = []
    private var generators: [GeneratorValue] = []

    init(inputUnits: Int, time: LocalTime?) {
        self.time = time
        let (scaled, overflow) = inputUnits.multipliedReportingOverflow(
            by: TemplateLimits.createdUnitsPerInput)
        unitLimit =
            overflow
            ? Int.max : max(scaled, 0).addingReportingOverflow(TemplateLimits.createdUnits).partialValue
        globals = Scope(parent: nil)
        globals.set("range", .function(.range))
        globals.set("dict", .function(.dictionary))
        globals.set("namespace", .function(.namespace))
        globals.set("raise_exception", .function(.raiseException))
        globals.set("strftime_now", .function(.formatNow))
    }

    /// The text that the statements print, given these variables.
    func render(
        _ statements: [Statement], variables: [(name: String, value: TemplateValue)]
    ) throws(TemplateError) -> [UInt32] {
        for (name, value) in variables { globals.set(name, value) }
        defer { release() }
        _ = try execute(statements, in: Scope(parent: globals))
        return output
    }

    private func release() {
        for scope in scopes { scope.clear() }
        for namespace in namespaces { namespace.attributes.removeAll() }
        for generator in generators { generator.clear() }
        globals.clear()
    }

    /// Remembers a scope that a value refers to.
    func retain(_ scope: Scope) { scopes.append(scope) }

    func makeNamespace(_ attributes: [(name: TemplateText, value: TemplateValue)]) -> NamespaceValue {
        let namespace = NamespaceValue(attributes)
        namespaces.append(namespace)
        return namespace
    }

    func makeGenerator(
        depth: Int, _ make: @escaping () throws(TemplateError) -> [TemplateValue]
    ) throws(TemplateError) -> TemplateValue {
        try checkDepth(depth + 1)
        let generator = GeneratorValue(depth: depth + 1, make: make)
        generators.append(generator)
        return .generator(generator)
    }

    // MARK: - Errors and bounds

    func failure(_ reason: String) -> TemplateError {
        .evaluation(reason: reason, line: Int(position.line), column: Int(position.column))
    }

    private func exceeded(_ what: String, _ limit: Int) -> TemplateError {
        .limitExceeded(what: what, limit: limit, line: Int(position.line), column: Int(position.column))
    }

    /// Counts one evaluation.
    func step() throws(TemplateError) {
        steps &+= 1
        if steps > TemplateLimits.steps { throw exceeded("steps", TemplateLimits.steps) }
    }

    /// Counts code points or items that are about to be made.
    func charge(_ count: Int) throws(TemplateError) {
        guard count >= 0, count <= unitLimit &- units else {
            throw exceeded("characters and items", unitLimit)
        }
        units &+= count
    }

    func checkDepth(_ depth: Int) throws(TemplateError) {
        if depth > TemplateLimits.valueDepth {
            throw exceeded("levels of nested values", TemplateLimits.valueDepth)
        }
    }

    /// Runs something one level deeper.
    func deeper<R>(_ body: () throws(TemplateError) -> R) throws(TemplateError) -> R {
        try enter()
        defer { leave() }
        return try body()
    }

    func enter() throws(TemplateError) {
        guard depth < TemplateLimits.renderDepth else {
            throw exceeded("levels of nested calls and expressions", TemplateLimits.renderDepth)
        }
        depth &+= 1
    }

    func leave() { depth &-= 1 }

    // MARK: - Values

    func list(_ items: [TemplateValue]) throws(TemplateError) -> TemplateValue {
        try charge(items.count)
        let list = ItemList(items)
        try checkDepth(list.depth)
        return .list(list)
    }

    func tuple(_ items: [TemplateValue]) throws(TemplateError) -> TemplateValue {
        try charge(items.count)
        let list = ItemList(items)
        try checkDepth(list.depth)
        return .tuple(list)
    }

    func text(_ units: [UInt32]) throws(TemplateError) -> TemplateValue {
        try charge(units.count)
        return .text(TemplateText(units: units))
    }

    func text(_ units: [UInt32], like other: TemplateText) throws(TemplateError) -> TemplateValue {
        try charge(units.count)
        return .text(other.with(units))
    }

    func dictionary(
        _ entries: [(key: TemplateValue, value: TemplateValue)]
    ) throws(TemplateError) -> TemplateValue {
        try charge(entries.count)
        let dictionary = DictionaryValue()
        for (key, value) in entries {
            guard key.isHashable else { throw failure("a \(key.typeName) cannot be a key") }
            dictionary.set(key, value)
        }
        try checkDepth(dictionary.depth)
        return .dictionary(dictionary)
    }

    /// Runs statements and returns what they print, instead of printing it.
    func capture(_ body: () throws(TemplateError) -> Void) throws(TemplateError) -> [UInt32] {
        let outer = output
        output = []
        defer { output = outer }
        try body()
        return output
    }
}
