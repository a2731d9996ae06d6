// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// The members of a request, read with errors that name them. `null` counts as not given.
struct Fields: Sendable {
    let object: JSONObject
    /// Where the object stands in the request, with a dot at the end; empty for the request itself.
    let path: String

    init(_ object: JSONObject, path: String = "") {
        self.object = object
        self.path = path
    }

    /// Reads a request's body.
    init(body: [UInt8]) throws(APIError) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: body)
        } catch {
            throw .invalid("the body cannot be read: \(error.description)", code: "invalid_json")
        }
        guard case .object(let object) = value else {
            throw .invalid("the body must be a JSON object", code: "invalid_json")
        }
        self.init(object)
    }

    subscript(name: String) -> JSONValue? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    func error(_ name: String, _ expected: String) -> APIError {
        .invalid("'\(path)\(name)' must be \(expected)", param: path + name)
    }

    func string(_ name: String) throws(APIError) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.stringValue else { throw error(name, "a string") }
        return text
    }

    func bool(_ name: String) throws(APIError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.boolValue else { throw error(name, "true or false") }
        return flag
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = value.intValue, range.contains(number) else {
            throw error(name, "a whole number \(Self.text(range))")
        }
        return number
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.doubleValue, range.contains(number) else {
            throw error(name, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func object(_ name: String) throws(APIError) -> Fields? {
        guard let value = self[name] else { return nil }
        guard let object = value.objectValue else { throw error(name, "an object") }
        return Fields(object, path: "\(path)\(name).")
    }

    func array(_ name: String) throws(APIError) -> [JSONValue]? {
        guard let value = self[name] else { return nil }
        guard let elements = value.arrayValue else { throw error(name, "an array") }
        return elements
    }

    /// One of some words.
    func choice<T: RawRepresentable & CaseIterable>(_ name: String, as type: T.Type) throws(APIError) -> T?
    where T.RawValue == String {
        guard let value = self[name] else { return nil }
        guard let text = value.stringValue, let choice = T(rawValue: text) else {
            let names = T.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            throw error(name, "one of \(names)")
        }
        return choice
    }

    private static func text(_ range: ClosedRange<Int>) -> String {
        range.upperBound == Int.max
            ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
    }
}
