// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

/// A JSON Schema and where it stands.
struct SubSchema: Equatable {
    var schema: JSONValue
    var pointer: String
}

/// Types of JSON Schema.
enum SchemaType: String, CaseIterable {
    case object, array, string, number, integer, boolean, null

    static let all: Set<SchemaType> = [.object, .array, .string, .number, .boolean, .null]

    /// Types of values that are of a type of both sets.
    static func intersection(_ a: Set<SchemaType>, _ b: Set<SchemaType>) -> Set<SchemaType> {
        var common = a.intersection(b)
        for (one, other) in [(a, b), (b, a)]
        where one.contains(.integer) && other.contains(.number) && !common.contains(.number) {
            common.insert(.integer)
        }
        return common
    }

    /// Whether a value is of this type.
    func includes(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.object, .object), (.array, .array), (.string, .string), (.boolean, .bool), (.null, .null),
            (.number, .integer), (.number, .number), (.integer, .integer):
            true
        case (.integer, .number(let value)): value.rounded(.towardZero) == value
        default: false
        }
    }
}

/// One end of a range of numbers.
struct NumberBound {
    var value: JSONValue
    var isExclusive: Bool

    var double: Double { value.doubleValue ?? 0 }

    /// Whether `self` is lower than `other`, as a lower or an upper end.
    func isLower(than other: NumberBound, asLowerEnd: Bool) -> Bool {
        if case (.integer(let a), .integer(let b)) = (value, other.value), a != b { return a < b }
        if double != other.double { return double < other.double }
        return asLowerEnd ? other.isExclusive && !isExclusive : isExclusive && !other.isExclusive
    }
}

/// What several schemas that all have to hold say together.
struct SchemaFacts {
    /// Where the first of them stands.
    let pointer: String
    /// Pointers of the schemas taken in.
    var sources: Set<String> = []
    var isImpossible = false
    /// nil = any.
    var types: Set<SchemaType>?
    /// nil = any.
    var values: [JSONValue]?

    var minimum: NumberBound?
    var maximum: NumberBound?

    var minLength = 0
    var maxLength: Int?
    /// Patterns and where they stand.
    var patterns: [SubPattern] = []
    var format: String?

    var minItems = 0
    var maxItems: Int?
    /// Schemas of the first items; each a list of which all hold.
    var prefix: [[SubSchema]] = []
    /// Schemas of the further items; nil = not stated.
    var items: [SubSchema]?
    /// Pointers of the schemas that say something of items.
    var itemOwners: [String] = []

    /// Schemas of the properties; each a list of which all hold.
    var properties = KeyedList<[SubSchema]>()
    var required = KeyedList<Bool>()
    /// Schemas of further properties; nil = not stated.
    var additional: [SubSchema]?
    var minProperties = 0
    var maxProperties: Int?
    var isClosed = false

    /// Lists of schemas of each of which one has to hold.
    var choices: [Choice] = []
    /// Types that keywords were stated for.
    var mentioned: Set<SchemaType> = []

    struct SubPattern: Equatable {
        var text: String
        var pointer: String
    }

    struct Choice {
        var branches: [SubSchema]
        /// Exactly one.
        var isExclusive: Bool
        var pointer: String
    }

    init(pointer: String) { self.pointer = pointer }

    /// Whether properties may come that no schema names; nil = not stated.
    var allowsFurther: Bool? {
        if let additional { return !additional.contains { $0.schema == .bool(false) } }
        return isClosed ? false : nil
    }

    /// Whether there is nothing but the choices.
    var hasOnlyChoices: Bool {
        !isImpossible && types == nil && values == nil && mentioned.isEmpty
    }

    /// The types that are generated: those stated, else those with keywords, else all.
    var generatedTypes: Set<SchemaType> {
        if let types { return types }
        return mentioned.isEmpty ? SchemaType.all : mentioned
    }
}
