// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

extension SchemaCompiler {
    /// `oneOf` is generated as `anyOf`, so no value that one branch generates may be valid under another.
    func checkDisjoint(_ choice: SchemaFacts.Choice, _ base: SchemaFacts) throws(GrammarError) {
        guard choice.branches.count <= GrammarLimits.combinations else {
            throw .tooLarge(what: "combinations of schemas", limit: GrammarLimits.combinations)
        }
        var branches: [SchemaFacts] = []
        for branch in choice.branches {
            var facts = base
            try add(branch, to: &facts)
            branches.append(facts)
        }
        var work = 0
        for first in branches.indices {
            for second in branches.indices where first != second {
                let (made, other) = (branches[first], branches[second])
                work +=
                    1 + made.required.count + other.required.count
                guard work <= GrammarLimits.work else {
                    throw .tooLarge(what: "comparisons of branches", limit: GrammarLimits.work)
                }
                guard try isApart(made, from: other) else {
                    throw .unsupportedSchema(
                        pointer: choice.pointer,
                        problem: "branches \(min(first, second)) and \(max(first, second)) may overlap; use"
                            + " 'anyOf', or tell them apart by type or by a required property")
                }
            }
        }
    }

    /// Whether nothing that `made` generates is valid under `other`.
    private func isApart(_ made: SchemaFacts, from other: SchemaFacts) throws(GrammarError) -> Bool {
        if made.isImpossible || other.isImpossible { return true }
        let types = made.generatedTypes
        if let allowed = other.types, SchemaType.intersection(types, allowed).isEmpty { return true }
        if let values = made.values {
            if let others = other.values, others.allSatisfy({ !values.contains($0) }) { return true }
            if let allowed = other.types,
                values.allSatisfy({ value in !allowed.contains { $0.includes(value) } })
            {
                return true
            }
        }
        // What is left are objects, told apart by a property.
        guard types == [.object], made.values == nil else { return false }
        for (name, _) in other.required.entries {
            let isKnown = made.properties.contains(name) || made.required.contains(name)
            let isClosed = made.allowsFurther.map { !$0 } ?? !made.properties.isEmpty
            if !isKnown, isClosed, made.choices.isEmpty { return true }
        }
        for (name, _) in made.required.entries {
            guard let mine = try values(of: name, made), let theirs = try values(of: name, other) else {
                continue
            }
            if mine.allSatisfy({ !theirs.contains($0) }) { return true }
        }
        return false
    }

    /// The values that a property may have, where they are listed.
    private func values(of name: String, _ facts: SchemaFacts) throws(GrammarError) -> [JSONValue]? {
        guard let schemas = facts.properties[name] else { return nil }
        return try self.facts(of: schemas).values
    }
}
