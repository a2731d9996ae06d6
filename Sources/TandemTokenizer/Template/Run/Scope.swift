// SPDX-License-Identifier: Apache-2.0

/// Variables of one stretch of a template: assignments stay inside, look-ups go outward.
final class Scope {
    private(set) var values: [String: TemplateValue] = [:]
    private let parent: Scope?

    init(parent: Scope?) {
        self.parent = parent
    }

    subscript(name: String) -> TemplateValue? {
        var scope: Scope? = self
        while let current = scope {
            if let value = current.values[name] { return value }
            scope = current.parent
        }
        return nil
    }

    func set(_ name: String, _ value: TemplateValue) {
        values[name] = value
    }

    /// Lets go of all variables, which may hold this scope in turn.
    func clear() {
        values.removeAll()
    }
}

/// A running `for` statement, as the variable `loop` shows it.
final class LoopState {
    let definition: LoopDefinition
    let scope: Scope
    let items: [TemplateValue]
    /// How many loops of the same statement are around this one.
    let depth: Int
    var index = 0
    /// What `changed` was last asked about.
    var lastChecked: [TemplateValue]?

    init(definition: LoopDefinition, scope: Scope, items: [TemplateValue], depth: Int) {
        self.definition = definition
        self.scope = scope
        self.items = items
        self.depth = depth
    }
}

/// Arguments of a call with their values.
struct CallArguments {
    var positional: [TemplateValue] = []
    var keywords: [(name: String, value: TemplateValue)] = []
}
