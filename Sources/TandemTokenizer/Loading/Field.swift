// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// A JSON value together with the path that leads to it, for messages.
struct Field {
    let value: JSONValue
    let path: String

    init(_ value: JSONValue, path: String) {
        self.value = value
        self.path = path
    }

    private func child(_ value: JSONValue, _ key: String) -> Field {
        Field(value, path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// The field under `key`; `nil` when absent or null.
    func optional(_ key: String) -> Field? {
        guard let found = value[key], !found.isNull else { return nil }
        return child(found, key)
    }

    func required(_ key: String) throws(TokenizerError) -> Field {
        guard let field = optional(key) else { throw .missingField(path: child(.null, key).path) }
        return field
    }

    func string() throws(TokenizerError) -> String {
        guard let text = value.stringValue else { throw .wrongType(path: path, expected: "a string") }
        return text
    }

    func bool() throws(TokenizerError) -> Bool {
        guard let flag = value.boolValue else { throw .wrongType(path: path, expected: "true or false") }
        return flag
    }

    func int() throws(TokenizerError) -> Int {
        guard let number = value.intValue else { throw .wrongType(path: path, expected: "an integer") }
        return number
    }

    func object() throws(TokenizerError) -> JSONObject {
        guard let object = value.objectValue else { throw .wrongType(path: path, expected: "an object") }
        return object
    }

    func elements() throws(TokenizerError) -> [Field] {
        guard let elements = value.arrayValue else { throw .wrongType(path: path, expected: "an array") }
        return elements.enumerated().map { Field($0.element, path: "\(path)[\($0.offset)]") }
    }

    /// The flag under `key`, or `fallback` when absent.
    func flag(_ key: String, default fallback: Bool) throws(TokenizerError) -> Bool {
        try optional(key)?.bool() ?? fallback
    }

    /// The bytes of the string under `key`, which must not be empty.
    func text(_ key: String) throws(TokenizerError) -> [UInt8] {
        let field = try required(key)
        let text = Array(try field.string().utf8)
        guard !text.isEmpty else {
            throw .wrongType(path: field.path, expected: "a string that is not empty")
        }
        return text
    }

    /// The kind a component declares in its `type` field.
    func type() throws(TokenizerError) -> String {
        try required("type").string()
    }

    /// The components of a `Sequence`, or this field alone when it is none. Sequences inside are unfolded.
    func unfolded(_ key: String) throws(TokenizerError) -> [Field] {
        guard try type() == "Sequence" else { return [self] }
        var result: [Field] = []
        for element in try required(key).elements() {
            result.append(contentsOf: try element.unfolded(key))
        }
        return result
    }

    func unsupported(_ supported: String) -> TokenizerError {
        let text = value.stringValue.map { "\"\($0)\"" } ?? value.serialized()
        let shown = text.unicodeScalars.count > 80 ? String(text.prefix(80)) + "…" : text
        return .unsupported(path: path, value: shown, supported: supported)
    }
}
