// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

/// JSON itself, without a schema.
extension SchemaCompiler {
    /// A grammar of one built-in rule.
    mutating func rules(ofBuiltIn name: String) -> RuleSet {
        set.root = builtInRule(name)
        return set
    }

    mutating func builtInRule(_ name: String) -> Int {
        if let known = ruleOfBuiltIn[name] { return known }
        let index = set.add(name)
        ruleOfBuiltIn[name] = index
        set.bodies[index] = body(of: name)
        return index
    }

    mutating func builtIn(_ name: String) -> Expression { .rule(builtInRule(name)) }

    private mutating func body(of name: String) -> Expression {
        switch name {
        case "space":
            let indent = Expression.repeated(.scalar(ScalarSet(of: " \t")), least: 0, most: 40)
            return .choice([.empty, .text(" "), .sequence([.text("\n"), indent])])
        case "character":
            return JSONText.character
        case "string":
            return .sequence([.text("\""), .any(builtIn("character")), .text("\"")])
        case "number":
            return NumberText.any
        case "integer":
            return NumberText.integer(from: nil, to: nil)
        case "object":
            let member = Expression.sequence([builtIn("string"), colon, builtIn("value")])
            return .sequence([.text("{"), builtIn("space"), .choice([.text("}"), list(of: member, "}")])])
        case "array":
            return .sequence([
                .text("["), builtIn("space"), .choice([.text("]"), list(of: builtIn("value"), "]")]),
            ])
        default:
            let names = ["object", "array", "string", "number"]
            return .choice(
                names.map { builtIn($0) } + [.text("true"), .text("false"), .text("null")])
        }
    }

    /// Between a key and its value.
    var colon: Expression { .sequence([.text(":"), .optional(.text(" "))]) }

    /// Between two elements or members.
    var comma: Expression {
        mutating get { .sequence([.text(","), builtIn("space")]) }
    }

    /// The end of an array or object that is not empty.
    mutating func closing(_ close: String) -> Expression { .sequence([builtIn("space"), .text(close)]) }

    private mutating func list(of part: Expression, _ close: String) -> Expression {
        .sequence([part, .any(.sequence([comma, part])), closing(close)])
    }

    /// Exactly this value; spaces where JSON has them.
    mutating func literal(_ value: JSONValue) -> Expression {
        switch value {
        case .array(let elements):
            var parts: [Expression] = [.text("["), builtIn("space")]
            for (index, element) in elements.enumerated() {
                if index > 0 { parts.append(comma) }
                parts.append(literal(element))
            }
            return .sequence(parts + [elements.isEmpty ? .text("]") : closing("]")])
        case .object(let object):
            var parts: [Expression] = [.text("{"), builtIn("space")]
            for (index, member) in object.members.enumerated() {
                if index > 0 { parts.append(comma) }
                parts += [key(member.key), colon, literal(member.value)]
            }
            return .sequence(parts + [object.isEmpty ? .text("}") : closing("}")])
        default:
            return .text(value.serialized())
        }
    }

    func key(_ name: String) -> Expression { .text(JSONValue.string(name).serialized()) }
}

/// Characters within JSON strings.
enum JSONText {
    /// Characters that JSON wants escaped.
    static let mustEscape = ScalarSet([0...0x1F, 0x22...0x22, 0x5C...0x5C])

    /// Any character, escaped or not. Escapes of surrogates come in pairs only.
    static var character: Expression {
        let hexadecimal = ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66])
        func digits(_ count: Int) -> Expression {
            .repeated(.scalar(hexadecimal), least: count, most: count)
        }
        let isD = ScalarSet(of: "dD")
        let high = Expression.sequence([.scalar(isD), .scalar(ScalarSet(of: "89abAB")), digits(2)])
        let low = Expression.sequence([.scalar(isD), .scalar(ScalarSet(of: "cdefCDEF")), digits(2)])
        let plain = Expression.choice([
            .sequence([.scalar(hexadecimal.subtracting(isD)), digits(3)]),
            .sequence([.scalar(isD), .scalar(ScalarSet([0x30...0x37])), digits(2)]),
        ])
        let unit = Expression.choice([plain, .sequence([high, .text("\\u"), low])])
        let escape = Expression.choice([
            .scalar(ScalarSet(of: "\"\\/bfnrt")), .sequence([.text("u"), unit]),
        ])
        return .choice([.scalar(mustEscape.inverted), .sequence([.text("\\"), escape])])
    }

    /// One character of a set, escaped only where it must be.
    static func character(of set: ScalarSet) -> Expression {
        var parts: [Expression] = []
        let plain = set.subtracting(mustEscape)
        if !plain.isEmpty { parts.append(.scalar(plain)) }
        for range in set.intersection(mustEscape).ranges {
            for value in range { parts.append(.bytes(escaped(value))) }
        }
        return parts.count == 1 ? parts[0] : .choice(parts)
    }

    private static func escaped(_ value: UInt32) -> [UInt8] {
        guard let scalar = Unicode.Scalar(value) else { return [] }
        return JSONValue.string(String(Character(scalar))).serializedBytes().dropFirst().dropLast()
    }
}
