// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Typed access to the members of a JSON object; every error carries the member's path.
struct ManifestReader {
    let object: JSONObject
    let path: String

    init(_ value: JSONValue, path: String) throws(FormatError) {
        guard let object = value.objectValue else {
            throw .invalidField(name: path, offset: nil, reason: "is not an object")
        }
        self.object = object
        self.path = path
    }

    func invalid(_ key: String, _ reason: String) -> FormatError {
        .invalidField(name: "\(path).\(key)", offset: nil, reason: reason)
    }

    /// A member that is absent or null gives nil.
    private func present(_ key: String) -> JSONValue? {
        guard let value = object[key], value != .null else { return nil }
        return value
    }

    private func required(_ key: String) throws(FormatError) -> JSONValue {
        guard let value = present(key) else { throw invalid(key, "is missing") }
        return value
    }

    func object(_ key: String) throws(FormatError) -> ManifestReader {
        try ManifestReader(required(key), path: "\(path).\(key)")
    }

    func optionalObject(_ key: String) throws(FormatError) -> ManifestReader? {
        guard let value = present(key) else { return nil }
        return try ManifestReader(value, path: "\(path).\(key)")
    }

    /// An object whose members this module does not interpret; empty when absent.
    func freeObject(_ key: String) throws(FormatError) -> JSONObject {
        try optionalObject(key)?.object ?? JSONObject()
    }

    func string(_ key: String) throws(FormatError) -> String {
        guard let value = try required(key).stringValue else { throw invalid(key, "is not a string") }
        return value
    }

    func optionalString(_ key: String) throws(FormatError) -> String? {
        present(key) == nil ? nil : try string(key)
    }

    func bool(_ key: String) throws(FormatError) -> Bool {
        guard let value = try required(key).boolValue else { throw invalid(key, "is not true or false") }
        return value
    }

    func integer(_ key: String) throws(FormatError) -> Int {
        guard let value = try required(key).intValue else { throw invalid(key, "is not an integer") }
        return value
    }

    func optionalInteger(_ key: String) throws(FormatError) -> Int? {
        present(key) == nil ? nil : try integer(key)
    }

    func float(_ key: String) throws(FormatError) -> Float {
        guard let value = try required(key).doubleValue else { throw invalid(key, "is not a number") }
        return Float(value)
    }

    func integers(_ key: String, limit: Int) throws(FormatError) -> [Int] {
        guard let values = try required(key).arrayValue else { throw invalid(key, "is not an array") }
        guard values.count <= limit else {
            throw invalid(key, "\(values.count) entries, the limit is \(limit)")
        }
        var result: [Int] = []
        result.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            guard let number = value.intValue else { throw invalid("\(key)[\(index)]", "is not an integer") }
            result.append(number)
        }
        return result
    }

    // MARK: Optional members

    func has(_ key: String) -> Bool { present(key) != nil }

    func bool(_ key: String, default fallback: Bool) throws(FormatError) -> Bool {
        has(key) ? try bool(key) : fallback
    }

    func optionalFloat(_ key: String) throws(FormatError) -> Float? {
        has(key) ? try float(key) : nil
    }

    /// A string that names one of an enumeration's cases.
    func choice<T: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: T
    ) throws(FormatError) -> T where T.RawValue == String {
        guard let name = try optionalString(key) else { return fallback }
        guard let value = T(rawValue: name) else {
            let names = T.allCases.map(\.rawValue).joined(separator: ", ")
            throw invalid(key, "'\(name)' is not one of \(names)")
        }
        return value
    }

    /// An array of objects; empty when absent.
    func objects(_ key: String, limit: Int) throws(FormatError) -> [ManifestReader] {
        var result: [ManifestReader] = []
        for (index, value) in try array(key, limit: limit).enumerated() {
            try result.append(ManifestReader(value, path: "\(path).\(key)[\(index)]"))
        }
        return result
    }

    /// An array of integers and nulls; empty when absent.
    func optionalIntegers(_ key: String, limit: Int) throws(FormatError) -> [Int?] {
        var result: [Int?] = []
        for (index, value) in try array(key, limit: limit).enumerated() {
            guard let number = value.intValue else {
                guard value.isNull else { throw invalid("\(key)[\(index)]", "is not an integer or null") }
                result.append(nil)
                continue
            }
            result.append(number)
        }
        return result
    }

    private func array(_ key: String, limit: Int) throws(FormatError) -> [JSONValue] {
        guard let value = present(key) else { return [] }
        guard let values = value.arrayValue else { throw invalid(key, "is not an array") }
        guard values.count <= limit else {
            throw invalid(key, "\(values.count) entries, the limit is \(limit)")
        }
        return values
    }
}
