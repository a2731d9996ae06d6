// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

extension SchemaCompiler {
    /// Keywords that are understood. All others are annotations, or refused.
    private static let understood: Set<String> = [
        "$ref", "type", "enum", "const", "nullable", "allOf", "anyOf", "oneOf", "properties", "required",
        "additionalProperties", "unevaluatedProperties", "minProperties", "maxProperties", "items",
        "prefixItems",
        "additionalItems", "unevaluatedItems", "minItems", "maxItems", "uniqueItems", "minLength",
        "maxLength",
        "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    ]
    /// Keywords that restrict values in ways that are not enforced.
    private static let refused: Set<String> = [
        "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
        "patternProperties",
        "propertyNames", "contains", "minContains", "maxContains", "$dynamicRef", "$recursiveRef", "extends",
        "disallow", "divisibleBy",
    ]

    static func constrains(_ keyword: String) -> Bool {
        understood.contains(keyword) || refused.contains(keyword)
    }

    /// Adds what a schema says to what others say.
    func add(_ sub: SubSchema, to facts: inout SchemaFacts) throws(GrammarError) {
        var open = [sub]
        while let next = open.popLast() {
            guard facts.sources.insert(next.pointer).inserted else { continue }
            guard facts.sources.count <= GrammarLimits.combinations else {
                throw .tooLarge(what: "combinations of schemas", limit: GrammarLimits.combinations)
            }
            switch next.schema {
            case .bool(let isAnything):
                if !isAnything { facts.isImpossible = true }
            case .object(let object):
                try add(object, next.pointer, to: &facts, &open)
            default:
                throw .invalidSchema(
                    pointer: next.pointer, problem: "a schema must be an object or a boolean")
            }
        }
    }

    private func add(
        _ object: JSONObject, _ pointer: String, to facts: inout SchemaFacts, _ open: inout [SubSchema]
    ) throws(GrammarError) {
        for member in object.members where Self.constrains(member.key) {
            let reader = KeywordReader(keyword: member.key, value: member.value, schema: pointer)
            guard !Self.refused.contains(member.key) else {
                throw reader.unsupported("'\(member.key)' cannot be enforced")
            }
            switch member.key {
            case "$ref":
                open.append(try resolve(member.value, at: reader.pointer))
            case "allOf":
                open.append(contentsOf: try reader.schemas().reversed())
            case "anyOf", "oneOf":
                let branches = try reader.schemas()
                facts.choices.append(
                    SchemaFacts.Choice(
                        branches: branches, isExclusive: member.key == "oneOf" && branches.count > 1,
                        pointer: reader.pointer))
            case "type":
                let types = try reader.types(isNullable: object["nullable"] == .bool(true))
                facts.types = facts.types.map { SchemaType.intersection($0, types) } ?? types
            case "nullable":
                guard case .bool = member.value else { throw reader.invalid("must be a boolean") }
            case "enum", "const":
                let values = member.key == "enum" ? try reader.array() : [member.value]
                facts.keep(values.map(\.normalized))
            case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
                try facts.addNumber(reader, object)
            case "minLength", "maxLength", "pattern", "format":
                try facts.addString(reader)
            case "items", "prefixItems", "additionalItems", "unevaluatedItems", "minItems", "maxItems",
                "uniqueItems":
                try facts.addArray(reader, object)
            case "properties", "additionalProperties":
                break
            default:
                try facts.addObject(reader)
            }
        }
        if object["properties"] != nil || object["additionalProperties"] != nil {
            try facts.addProperties(of: object, pointer)
        }
    }
}

/// The value of a keyword, read as what it must be.
struct KeywordReader {
    let keyword: String
    let value: JSONValue
    /// Pointer of the schema.
    let schema: String

    var pointer: String { JSONPointer.child(schema, keyword) }

    func invalid(_ problem: String) -> GrammarError { .invalidSchema(pointer: pointer, problem: problem) }

    func unsupported(_ problem: String) -> GrammarError {
        .unsupportedSchema(pointer: pointer, problem: problem)
    }

    var asSchema: SubSchema { SubSchema(schema: value, pointer: pointer) }

    func array() throws(GrammarError) -> [JSONValue] {
        guard let elements = value.arrayValue else { throw invalid("must be an array") }
        return elements
    }

    func schemas() throws(GrammarError) -> [SubSchema] {
        let elements = try array()
        guard !elements.isEmpty else { throw invalid("must hold at least one schema") }
        return elements.enumerated().map {
            SubSchema(schema: $0.element, pointer: JSONPointer.child(pointer, String($0.offset)))
        }
    }

    func count() throws(GrammarError) -> Int {
        guard let count = value.intValue, count >= 0 else {
            throw invalid("must be a whole number, 0 or greater")
        }
        guard count <= GrammarLimits.repetitions else {
            throw unsupported("must be at most \(GrammarLimits.repetitions)")
        }
        return count
    }

    func number() throws(GrammarError) -> JSONValue {
        switch value {
        case .integer, .number: return value.normalized
        default: throw invalid("must be a number")
        }
    }

    func types(isNullable: Bool) throws(GrammarError) -> Set<SchemaType> {
        var names: [JSONValue] = [value]
        if case .array(let elements) = value { names = elements }
        var types: Set<SchemaType> = isNullable ? [.null] : []
        for name in names {
            guard let text = name.stringValue, let type = SchemaType(rawValue: text) else {
                let all = SchemaType.allCases.map(\.rawValue).joined(separator: ", ")
                throw invalid("must be one or several of \(all)")
            }
            types.insert(type)
        }
        return types
    }
}

extension JSONValue {
    /// The value with whole numbers as integers, so that equal values are equal.
    var normalized: JSONValue {
        switch self {
        case .number(let value):
            return Int64(exactly: value).map { .integer($0) } ?? self
        case .array(let elements):
            return .array(elements.map(\.normalized))
        case .object(let object):
            return .object(
                JSONObject(object.members.map { JSONObject.Member(key: $0.key, value: $0.value.normalized) }))
        default:
            return self
        }
    }
}
