// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Random schemas of what the library supports.
struct RandomSchema {
    var random: TestRandom

    init(_ seed: Int) { random = TestRandom(UInt64(seed) &+ 1) }

    mutating func schema() -> JSONValue {
        var object = node(3).objectValue ?? [:]
        object["$defs"] = [
            "t": [
                "type": "object",
                "properties": [
                    "v": node(0), "next": ["anyOf": [["$ref": "#/$defs/t"], ["type": "null"]]],
                ], "required": ["next"],
            ]
        ]
        return .object(object)
    }

    private mutating func node(_ depth: Int) -> JSONValue {
        switch random.below(depth > 0 ? 12 : 6) {
        case 0: return ["type": random.chance(50) ? "boolean" : ["null", "boolean"]]
        case 1: return integer()
        case 2: return number()
        case 3: return string()
        case 4: return ["enum": ["a", 1, nil, [1, "x"], .object(["k": 2.5])]]
        case 5: return depth == 3 ? ["const": "é\n"] : ["$ref": "#/$defs/t"]
        case 6, 7: return object(depth)
        case 8: return array(depth)
        case 9: return ["anyOf": .array((0...random.below(2)).map { _ in node(depth - 1) })]
        case 10:
            return [
                "allOf": [object(depth), ["type": "object", "properties": ["a": true, "z": integer()]]]
            ]
        default: return ["oneOf": [array(depth), object(depth), ["type": "null"]]]
        }
    }

    private mutating func integer() -> JSONValue {
        var schema: JSONObject = ["type": "integer"]
        let least = random.below(400) - 200
        if random.chance(50) { schema["minimum"] = .integer(Int64(least)) }
        if random.chance(50) { schema["exclusiveMaximum"] = .integer(Int64(least + 1 + random.below(300))) }
        return .object(schema)
    }

    private mutating func number() -> JSONValue {
        var schema: JSONObject = ["type": "number"]
        let least = Double(random.below(4000) - 2000) / 64
        if random.chance(50) { schema[random.chance(50) ? "minimum" : "exclusiveMinimum"] = .number(least) }
        if random.chance(50) {
            schema[random.chance(50) ? "maximum" : "exclusiveMaximum"] = .number(least + 0.25)
        }
        return .object(schema)
    }

    private mutating func string() -> JSONValue {
        var schema: JSONObject = ["type": "string"]
        switch random.below(3) {
        case 0:
            let least = random.below(3)
            schema["minLength"] = .integer(Int64(least))
            schema["maxLength"] = .integer(Int64(least + random.below(5)))
        case 1:
            schema["pattern"] = .string(
                random.pick(["^[a-c]+x?$", "b", "^(foo|ba[rz]){1,2}$", "^[^a]\\d{2,4}", "\"|\\\\$"]))
        default:
            break
        }
        return .object(schema)
    }

    private mutating func object(_ depth: Int) -> JSONValue {
        var properties = JSONObject()
        var required: [JSONValue] = []
        for name in ["a", "ab", "b\"", "é", "c"].prefix(random.below(6)) {
            properties[name] = node(depth - 1)
            if random.chance(50) { required.append(.string(name)) }
        }
        var schema: JSONObject = [
            "type": "object", "properties": .object(properties), "required": .array(required),
        ]
        switch random.below(4) {
        case 0: schema["additionalProperties"] = false
        case 1: schema["additionalProperties"] = node(0)
        default: break
        }
        return .object(schema)
    }

    private mutating func array(_ depth: Int) -> JSONValue {
        var schema: JSONObject = ["type": "array"]
        if random.chance(40) { schema["prefixItems"] = [node(depth - 1), node(0)] }
        if random.chance(70) { schema["items"] = node(depth - 1) }
        let least = random.below(4)
        if random.chance(50) { schema["minItems"] = .integer(Int64(least)) }
        if random.chance(50) { schema["maxItems"] = .integer(Int64(least + random.below(3))) }
        return .object(schema)
    }
}
