// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

extension SchemaFacts {
    /// Keeps of the listed values those that others list too.
    mutating func keep(_ list: [JSONValue]) {
        let before = values.map { Set($0.map { $0.serializedBytes() }) }
        var seen: Set<[UInt8]> = []
        values = list.filter { value in
            let text = value.serializedBytes()
            return before?.contains(text) ?? true && seen.insert(text).inserted
        }
    }

    mutating func addNumber(_ reader: KeywordReader, _ schema: JSONObject) throws(GrammarError) {
        mentioned.insert(.number)
        if reader.keyword == "multipleOf" {
            let factor = try reader.number()
            let isInteger = schema["type"] == .string("integer")
            guard isInteger && factor == .integer(1) else {
                throw reader.unsupported(
                    "'multipleOf' cannot be enforced, but for integers that are multiples of 1")
            }
            return
        }
        // Of draft 4: a flag beside the bound.
        if case .bool(let flag) = reader.value, reader.keyword.hasPrefix("exclusive") {
            let other = reader.keyword == "exclusiveMinimum" ? "minimum" : "maximum"
            guard flag, let value = schema[other] else { return }
            let bound = KeywordReader(keyword: other, value: value, schema: reader.schema)
            bind(isMinimum: other == "minimum", NumberBound(value: try bound.number(), isExclusive: true))
            return
        }
        bind(
            isMinimum: reader.keyword == "minimum" || reader.keyword == "exclusiveMinimum",
            NumberBound(value: try reader.number(), isExclusive: reader.keyword.hasPrefix("exclusive")))
    }

    private mutating func bind(isMinimum: Bool, _ bound: NumberBound) {
        if isMinimum {
            if minimum.map({ $0.isLower(than: bound, asLowerEnd: true) }) ?? true { minimum = bound }
        } else {
            if maximum.map({ bound.isLower(than: $0, asLowerEnd: false) }) ?? true { maximum = bound }
        }
    }

    mutating func addString(_ reader: KeywordReader) throws(GrammarError) {
        switch reader.keyword {
        case "minLength":
            minLength = max(minLength, try reader.count())
        case "maxLength":
            let count = try reader.count()
            maxLength = min(maxLength ?? count, count)
        case "pattern":
            guard let text = reader.value.stringValue else { throw reader.invalid("must be a string") }
            if !patterns.contains(where: { $0.text == text }) {
                patterns.append(SubPattern(text: text, pointer: reader.pointer))
            }
        default:
            guard let name = reader.value.stringValue else { throw reader.invalid("must be a string") }
            // Formats of numbers say how large a program's variable is, no more.
            if StringFormat.numeric.contains(name) { return }
            guard StringFormat.pattern(of: name) != nil else {
                let all = StringFormat.names.joined(separator: ", ")
                throw reader.unsupported("the format '\(name)' cannot be enforced; known are \(all)")
            }
            guard format == nil || format == name else {
                throw reader.unsupported("two formats cannot be combined")
            }
            format = name
        }
        mentioned.insert(.string)
    }

    mutating func addArray(_ reader: KeywordReader, _ schema: JSONObject) throws(GrammarError) {
        let hasTuple = schema["prefixItems"] != nil || schema["items"]?.arrayValue != nil
        switch reader.keyword {
        case "minItems":
            minItems = max(minItems, try reader.count())
        case "maxItems":
            let count = try reader.count()
            maxItems = min(maxItems ?? count, count)
        case "uniqueItems":
            guard case .bool(let flag) = reader.value else { throw reader.invalid("must be a boolean") }
            if flag { throw reader.unsupported("'uniqueItems' cannot be enforced") }
        case "unevaluatedItems", "additionalItems":
            guard hasTuple else { return }
            if reader.keyword == "additionalItems" {
                try claimItems(reader, isTuple: false)
                items = (items ?? []) + [reader.asSchema]
            } else if reader.value != .bool(false) && reader.value != .bool(true) {
                throw reader.unsupported("'unevaluatedItems' must be a boolean")
            }
        default:
            let isTuple = reader.keyword == "prefixItems" || reader.value.arrayValue != nil
            try claimItems(reader, isTuple: isTuple)
            if isTuple {
                prefix = try reader.schemas().map { [$0] }
            } else {
                items = (items ?? []) + [reader.asSchema]
            }
        }
        mentioned.insert(.array)
    }

    /// Items by place and items of all places cannot come from different schemas.
    private mutating func claimItems(_ reader: KeywordReader, isTuple: Bool) throws(GrammarError) {
        let others = itemOwners.filter { $0 != reader.schema }
        guard others.isEmpty || !isTuple && prefix.isEmpty else {
            throw reader.unsupported("items by place cannot be combined with those of another schema")
        }
        itemOwners.append(reader.schema)
    }

    mutating func addObject(_ reader: KeywordReader) throws(GrammarError) {
        switch reader.keyword {
        case "required":
            for name in try reader.array() {
                guard let key = name.stringValue else { throw reader.invalid("must be an array of strings") }
                required[key] = true
                guard required.count <= GrammarLimits.properties else {
                    throw .tooLarge(what: "properties of a schema", limit: GrammarLimits.properties)
                }
            }
        case "minProperties":
            minProperties = max(minProperties, try reader.count())
        case "maxProperties":
            let count = try reader.count()
            maxProperties = min(maxProperties ?? count, count)
        default:
            guard case .bool(let flag) = reader.value else {
                throw reader.unsupported("'unevaluatedProperties' must be a boolean")
            }
            if !flag { isClosed = true }
        }
        mentioned.insert(.object)
    }

    /// Adds the properties of a schema: each schema's properties have to hold, and its rule for further ones applies to
    /// those that only others name.
    mutating func addProperties(of schema: JSONObject, _ pointer: String) throws(GrammarError) {
        mentioned.insert(.object)
        var named = KeyedList<[SubSchema]>()
        if let value = schema["properties"] {
            let place = JSONPointer.child(pointer, "properties")
            guard let object = value.objectValue else {
                throw .invalidSchema(pointer: place, problem: "must be an object")
            }
            for member in object.members {
                named[member.key] = [
                    SubSchema(schema: member.value, pointer: JSONPointer.child(place, member.key))
                ]
            }
        }
        let further = schema["additionalProperties"].map {
            [SubSchema(schema: $0, pointer: JSONPointer.child(pointer, "additionalProperties"))]
        }
        for (key, schemas) in properties.entries where !named.contains(key) {
            if let further { properties[key] = schemas + further }
        }
        for (key, schemas) in named.entries {
            properties[key] = properties[key].map { $0 + schemas } ?? schemas + (additional ?? [])
        }
        if let further { additional = (additional ?? []) + further }
        guard properties.count <= GrammarLimits.properties else {
            throw .tooLarge(what: "properties of a schema", limit: GrammarLimits.properties)
        }
    }
}
