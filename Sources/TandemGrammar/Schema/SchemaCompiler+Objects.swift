// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

extension SchemaCompiler {
    /// Objects: the properties in the schema's order, then further ones.
    mutating func object(_ facts: SchemaFacts) throws(GrammarError) -> Expression {
        if !facts.mentioned.contains(.object) { return builtIn("object") }
        var properties = facts.properties
        for (name, _) in facts.required.entries where !properties.contains(name) {
            properties[name] = facts.additional ?? []
        }
        let isOpen = facts.allowsFurther ?? properties.isEmpty
        let further = isOpen ? facts.additional ?? [] : nil
        try checkCounts(facts, properties.count, isOpen: isOpen)

        // From the last to the first: what may follow when nothing has been written yet, and when something has.
        var first = Expression.text("}")
        var later = closing("}")
        if let further {
            let member = Expression.sequence([
                try unknownKey(properties), colon, .rule(try rule(for: further)),
            ])
            let more = Expression.sequence([.any(.sequence([comma, member])), closing("}")])
            later = .rule(set.add("\(facts.pointer)/…", more))
            first = .choice([.text("}"), .sequence([member, later])])
        }
        for property in properties.entries.reversed() {
            let place = JSONPointer.child(JSONPointer.child(facts.pointer, "properties"), property.key)
            let member = Expression.sequence([
                key(property.key), colon, .rule(try rule(for: property.value)),
            ])
            let leading = Expression.sequence([member, later])
            let following = Expression.sequence([comma, member, later])
            if facts.required.contains(property.key) {
                first = .rule(set.add(place, leading))
                later = .rule(set.add(place, following))
            } else {
                first = .rule(set.add(place, .choice([leading, first])))
                later = .rule(set.add(place, .choice([following, later])))
            }
        }
        return .sequence([.text("{"), builtIn("space"), first])
    }

    private func checkCounts(_ facts: SchemaFacts, _ count: Int, isOpen: Bool) throws(GrammarError) {
        guard facts.minProperties <= facts.required.count else {
            throw .unsupportedSchema(
                pointer: JSONPointer.child(facts.pointer, "minProperties"),
                problem: "more properties than are required cannot be enforced")
        }
        if let most = facts.maxProperties, isOpen || count > most {
            throw .unsupportedSchema(
                pointer: JSONPointer.child(facts.pointer, "maxProperties"),
                problem: "fewer properties than are known cannot be enforced")
        }
    }

    /// A key other than the known ones: it leaves the tree of these at some character, or ends within it.
    private mutating func unknownKey(_ known: KeyedList<[SubSchema]>) throws(GrammarError) -> Expression {
        var root = KeyTree()
        // The tree is as deep as keys are long.
        if known.entries.contains(where: { $0.key.unicodeScalars.count > GrammarLimits.keyLength }) {
            throw .tooLarge(
                what: "characters in a key beside further properties", limit: GrammarLimits.keyLength)
        }
        for (name, _) in known.entries { root.insert(Array(name.unicodeScalars.map(\.value))[...]) }
        let rest = Expression.any(builtIn("character"))
        return .sequence([.text("\""), unknownRest(root, rest, isStart: true), .text("\"")])
    }

    private mutating func unknownRest(_ tree: KeyTree, _ rest: Expression, isStart: Bool) -> Expression {
        var parts: [Expression] = []
        if !tree.isEnd && !isStart { parts.append(.empty) }
        let children = tree.children.sorted { $0.key < $1.key }
        let others = ScalarSet(children.map { $0.key...$0.key }).inverted.subtracting(JSONText.mustEscape)
        parts.append(.sequence([.scalar(others), rest]))
        for (value, child) in children {
            let character = JSONText.character(of: ScalarSet([value...value]))
            // A rule of its own: keys may be long.
            let inside = set.add("key", unknownRest(child, rest, isStart: false))
            parts.append(.sequence([character, .rule(inside)]))
        }
        return .choice(parts)
    }
}

/// Keys by their characters.
private struct KeyTree {
    var children: [UInt32: KeyTree] = [:]
    var isEnd = false

    mutating func insert(_ key: ArraySlice<UInt32>) {
        guard let first = key.first else {
            isEnd = true
            return
        }
        children[first, default: KeyTree()].insert(key.dropFirst())
    }
}
