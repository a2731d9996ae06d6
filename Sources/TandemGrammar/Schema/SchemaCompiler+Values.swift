// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

extension SchemaCompiler {
    // MARK: - Listed values

    /// Those of the values of `enum` and `const` that the other keywords let through.
    mutating func listed(_ values: [JSONValue], _ facts: SchemaFacts) throws(GrammarError) -> Expression {
        var parts: [Expression] = []
        for value in values where try isValid(value, facts) { parts.append(literal(value)) }
        return .choice(parts)
    }

    func isValid(_ value: JSONValue, _ facts: SchemaFacts) throws(GrammarError) -> Bool {
        if let types = facts.types, !types.contains(where: { $0.includes(value) }) { return false }
        switch value {
        case .integer, .number:
            let bound = NumberBound(value: value, isExclusive: false)
            if let least = facts.minimum, bound.isLower(than: least, asLowerEnd: true) { return false }
            if let most = facts.maximum, most.isLower(than: bound, asLowerEnd: false) { return false }
        case .string(let text):
            if facts.format != nil || !facts.patterns.isEmpty {
                throw .unsupportedSchema(
                    pointer: facts.pointer,
                    problem: "listed strings cannot be combined with a pattern or format")
            }
            let length = text.unicodeScalars.count
            if length < facts.minLength || length > facts.maxLength ?? length { return false }
        case .array, .object:
            if facts.mentioned.contains(.array) || facts.mentioned.contains(.object) {
                throw .unsupportedSchema(
                    pointer: facts.pointer,
                    problem: "listed arrays and objects cannot be combined with keywords for their contents")
            }
        case .null, .bool:
            break
        }
        return true
    }

    // MARK: - Strings

    mutating func string(_ facts: SchemaFacts) throws(GrammarError) -> Expression {
        guard facts.format != nil || !facts.patterns.isEmpty else {
            if facts.minLength == 0 && facts.maxLength == nil { return builtIn("string") }
            if let most = facts.maxLength, most < facts.minLength { return .nothing }
            return quoted(
                .repeated(builtIn("character"), least: facts.minLength, most: facts.maxLength))
        }
        guard facts.patterns.count + (facts.format == nil ? 0 : 1) == 1 else {
            throw .unsupportedSchema(
                pointer: facts.pointer, problem: "several patterns and formats cannot be combined")
        }
        let source: SchemaFacts.SubPattern
        if let pattern = facts.patterns.first {
            source = pattern
        } else {
            source = SchemaFacts.SubPattern(
                text: StringFormat.pattern(of: facts.format ?? "") ?? "", pointer: facts.pointer)
        }
        var parser = PatternParser(source.text, pointer: source.pointer)
        let pattern = try parser.parse()
        let lengths = pattern.lengths
        guard lengths.least >= facts.minLength, (lengths.most ?? Int.max) <= facts.maxLength ?? Int.max else {
            throw .unsupportedSchema(
                pointer: source.pointer,
                problem: "the pattern or format allows lengths that 'minLength' and 'maxLength' do not; put"
                    + " the lengths into the pattern")
        }
        return quoted(pattern.expression(anyCharacter: builtIn("character")))
    }

    private func quoted(_ contents: Expression) -> Expression {
        .sequence([.text("\""), contents, .text("\"")])
    }

    // MARK: - Arrays

    mutating func array(_ facts: SchemaFacts) throws(GrammarError) -> Expression {
        if !facts.mentioned.contains(.array) { return builtIn("array") }
        if let most = facts.maxItems, most < facts.minItems { return .nothing }
        let place = facts.prefix.count
        // Beyond items by place there are more only where the schema says which, or asks for them.
        let isOpen = place == 0 || facts.items != nil || facts.minItems > place
        var tail = place == 0 ? .text("]") : closing("]")
        let least = max(facts.minItems - place, 0)
        let most = facts.maxItems.map { max($0 - place, 0) }
        if isOpen && most != 0 {
            let element = Expression.rule(try rule(for: facts.items ?? []))
            let next = Expression.sequence([comma, element])
            if place == 0 {
                let more = Expression.repeated(next, least: max(least - 1, 0), most: most.map { $0 - 1 })
                let some = Expression.sequence([element, more, closing("]")])
                tail = least == 0 ? .choice([.text("]"), some]) : some
            } else {
                tail = .sequence([.repeated(next, least: least, most: most), closing("]")])
            }
        }
        for index in facts.prefix.indices.reversed() {
            let end = index == 0 ? Expression.text("]") : closing("]")
            if let limit = facts.maxItems, index >= limit {
                tail = end
                continue
            }
            var parts = index > 0 ? [comma] : []
            parts += [.rule(try rule(for: facts.prefix[index])), tail]
            let one = Expression.sequence(parts)
            tail = .rule(
                set.add(
                    "\(facts.pointer)/items/\(index)", index >= facts.minItems ? .choice([end, one]) : one))
        }
        return .sequence([.text("["), builtIn("space"), tail])
    }
}
