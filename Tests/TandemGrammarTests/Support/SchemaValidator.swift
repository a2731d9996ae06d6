// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON

/// JSON Schema by the book, for the keywords that ``RandomSchema`` writes.
struct SchemaValidator {
    let root: JSONValue

    func isValid(_ value: JSONValue) throws -> Bool { try isValid(value, root) }

    private func isValid(_ value: JSONValue, _ schema: JSONValue) throws -> Bool {
        if case .bool(let isAnything) = schema { return isAnything }
        guard let object = schema.objectValue else { return false }
        for member in object.members where try !holds(member.key, member.value, value, object) {
            return false
        }
        return true
    }

    private func holds(_ keyword: String, _ argument: JSONValue, _ value: JSONValue, _ schema: JSONObject)
        throws
        -> Bool
    {
        switch keyword {
        case "type":
            return (argument.arrayValue ?? [argument]).contains { isOf($0.stringValue ?? "", value) }
        case "enum": return argument.arrayValue?.contains { isEqual($0, value) } ?? false
        case "const": return isEqual(argument, value)
        case "$ref":
            var target = root
            for key in (argument.stringValue ?? "").split(separator: "/").dropFirst() {
                target = target[String(key)] ?? false
            }
            return try isValid(value, target)
        case "anyOf": return try argument.arrayValue?.contains { try isValid(value, $0) } ?? false
        case "allOf": return try argument.arrayValue?.allSatisfy { try isValid(value, $0) } ?? false
        case "oneOf": return try argument.arrayValue?.filter { try isValid(value, $0) }.count == 1
        case "minimum": return value.doubleValue.map { $0 >= argument.doubleValue ?? .nan } ?? true
        case "maximum": return value.doubleValue.map { $0 <= argument.doubleValue ?? .nan } ?? true
        case "exclusiveMinimum": return value.doubleValue.map { $0 > argument.doubleValue ?? .nan } ?? true
        case "exclusiveMaximum": return value.doubleValue.map { $0 < argument.doubleValue ?? .nan } ?? true
        case "minLength":
            return value.stringValue.map { $0.unicodeScalars.count >= argument.intValue ?? 0 } ?? true
        case "maxLength":
            return value.stringValue.map { $0.unicodeScalars.count <= argument.intValue ?? 0 } ?? true
        case "pattern":
            guard let text = value.stringValue else { return true }
            let expression = try NSRegularExpression(pattern: argument.stringValue ?? "")
            let range = NSRange(text.startIndex..., in: text)
            return expression.firstMatch(in: text, range: range) != nil
        case "minItems": return value.arrayValue.map { $0.count >= argument.intValue ?? 0 } ?? true
        case "maxItems": return value.arrayValue.map { $0.count <= argument.intValue ?? 0 } ?? true
        case "prefixItems":
            guard let elements = value.arrayValue, let schemas = argument.arrayValue else { return true }
            return try zip(elements, schemas).allSatisfy { try isValid($0, $1) }
        case "items":
            let known = schema["prefixItems"]?.arrayValue?.count ?? 0
            return try value.arrayValue?.dropFirst(known).allSatisfy { try isValid($0, argument) } ?? true
        case "required":
            return argument.arrayValue?.allSatisfy {
                value.objectValue == nil || value[$0.stringValue ?? ""] != nil
            } ?? true
        case "properties":
            guard let members = value.objectValue?.members else { return true }
            return try members.allSatisfy { member in
                try argument[member.key].map { try isValid(member.value, $0) } ?? true
            }
        case "additionalProperties":
            guard let members = value.objectValue?.members else { return true }
            return try members.allSatisfy { member in
                try schema["properties"]?[member.key] != nil || isValid(member.value, argument)
            }
        default:
            return true
        }
    }

    private func isOf(_ type: String, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("object", .object), ("array", .array), ("string", .string), ("number", .number),
            ("number", .integer), ("integer", .integer), ("boolean", .bool), ("null", .null):
            true
        case ("integer", .number(let number)): number.rounded() == number
        default: false
        }
    }

    private func isEqual(_ a: JSONValue, _ b: JSONValue) -> Bool {
        if let first = a.doubleValue, let second = b.doubleValue { return first == second }
        return a == b
    }
}
