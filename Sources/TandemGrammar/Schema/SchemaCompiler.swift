// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

/// Turns a JSON Schema into rules. `Formats/grammar.md` says what is understood.
///
/// Every schema, and every set of schemas that must hold together, becomes one rule; a reference becomes a use of its
/// target's rule, so recursion needs nothing special. Rules are worked off from a list: no schema is too deep.
struct SchemaCompiler {
    let root: JSONValue
    var set = RuleSet()
    /// Rules of schemas by their pointers.
    private var ruleOfSchemas: [String: Int] = [:]
    /// Where references lead that are nothing else, by their pointers.
    private var targets: [String: SubSchema] = [:]
    private var pending: [(rule: Int, schemas: [SubSchema])] = []
    var ruleOfBuiltIn: [String: Int] = [:]
    /// Combinations of branches looked at.
    private var combinations = 0

    init(root: JSONValue) { self.root = root }

    mutating func rules() throws(GrammarError) -> RuleSet {
        let start = try rule(for: [SubSchema(schema: root, pointer: "#")])
        while let (index, schemas) = pending.popLast() {
            set.bodies[index] = try expression(of: try facts(of: schemas))
            guard set.bodies.count <= GrammarLimits.elements / 4 else {
                throw .tooLarge(what: "schemas", limit: GrammarLimits.elements / 4)
            }
        }
        set.root = start
        return set
    }

    /// The rule for values that are valid under all of `schemas`.
    mutating func rule(for schemas: [SubSchema]) throws(GrammarError) -> Int {
        var targets: [SubSchema] = []
        for schema in schemas {
            let target = try target(of: schema)
            if target.schema != .bool(true) && !targets.contains(where: { $0.pointer == target.pointer }) {
                targets.append(target)
            }
        }
        if targets.isEmpty { return builtInRule("value") }
        let key = targets.map(\.pointer).sorted().joined(separator: "\u{0}")
        if let known = ruleOfSchemas[key] { return known }
        let index = set.add(targets[0].pointer)
        ruleOfSchemas[key] = index
        pending.append((index, targets))
        return index
    }

    func facts(of schemas: [SubSchema]) throws(GrammarError) -> SchemaFacts {
        var facts = SchemaFacts(pointer: schemas.first?.pointer ?? "#")
        for schema in schemas { try add(schema, to: &facts) }
        return facts
    }

    // MARK: - References

    /// Follows a schema that is a reference and nothing else to where it leads.
    private mutating func target(of schema: SubSchema) throws(GrammarError) -> SubSchema {
        var schema = schema
        var seen: Set<String> = []
        defer { for pointer in seen { targets[pointer] = schema } }
        while let object = schema.schema.objectValue, let reference = object["$ref"],
            !object.members.contains(where: { Self.constrains($0.key) && $0.key != "$ref" })
        {
            if let known = targets[schema.pointer] {
                schema = known
                break
            }
            guard seen.insert(schema.pointer).inserted else { throw .referenceCycle(pointer: schema.pointer) }
            schema = try resolve(reference, at: schema.pointer + "/$ref")
        }
        return schema
    }

    /// The schema that a reference names.
    func resolve(_ reference: JSONValue, at pointer: String) throws(GrammarError) -> SubSchema {
        guard let text = reference.stringValue else {
            throw .invalidSchema(pointer: pointer, problem: "a reference must be a string")
        }
        if text == "#" { return SubSchema(schema: root, pointer: "#") }
        guard text.hasPrefix("#/") else {
            throw .unsupportedSchema(
                pointer: pointer, problem: "the reference '\(text)' does not point into this schema ('#/…')")
        }
        guard let decoded = JSONPointer.decodedFragment(text), let value = JSONPointer.find(decoded, in: root)
        else {
            throw .invalidSchema(pointer: pointer, problem: "the reference '\(text)' leads nowhere")
        }
        return SubSchema(schema: value, pointer: JSONPointer.text(decoded))
    }

    // MARK: - Choices

    private mutating func expression(of facts: SchemaFacts) throws(GrammarError) -> Expression {
        if facts.isImpossible { return .nothing }
        guard let choice = facts.choices.first else { return try values(of: facts) }
        var rest = facts
        rest.choices.removeFirst()
        if choice.isExclusive { try checkDisjoint(choice, rest) }
        var parts: [Expression] = []
        for branch in choice.branches {
            combinations += 1
            guard combinations <= GrammarLimits.combinations else {
                throw .tooLarge(what: "combinations of schemas", limit: GrammarLimits.combinations)
            }
            if rest.hasOnlyChoices && rest.choices.isEmpty {
                parts.append(.rule(try rule(for: [branch])))
            } else {
                var combined = rest
                try add(branch, to: &combined)
                parts.append(try expression(of: combined))
            }
        }
        return .choice(parts)
    }

    /// Values under facts without choices.
    private mutating func values(of facts: SchemaFacts) throws(GrammarError) -> Expression {
        if let values = facts.values { return try listed(values, facts) }
        let types = facts.generatedTypes
        var parts: [Expression] = []
        for type in SchemaType.allCases where types.contains(type) {
            switch type {
            case .object: parts.append(try object(facts))
            case .array: parts.append(try array(facts))
            case .string: parts.append(try string(facts))
            case .number: parts.append(try number(facts))
            case .integer where types.contains(.number): break
            case .integer: parts.append(try integer(facts))
            case .boolean: parts.append(.choice([.text("true"), .text("false")]))
            case .null: parts.append(.text("null"))
            }
        }
        return .choice(parts)
    }
}
