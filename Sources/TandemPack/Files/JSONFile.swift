// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// A JSON file whose root is an object; every error names the file and the member.
struct JSONFile: Sendable {
    let path: String
    let object: JSONObject
    /// What stands before the names of members in messages, when the object is a part of the file.
    private(set) var prefix = ""

    /// Larger than any configuration or index; tokenizers are read elsewhere.
    static let sizeLimit = 64 << 20

    init(path: String) throws(PackError) {
        let file = try InputFile(path: path)
        try self.init(path: path, bytes: file.contents(limit: JSONFile.sizeLimit))
    }

    /// The file, or nil when there is none.
    init?(ifPresent path: String) throws(PackError) {
        guard try PathKind(path) != .missing else { return nil }
        try self.init(path: path)
    }

    init(path: String, bytes: [UInt8]) throws(PackError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw .json(path: path, error: error)
        }
        guard let object = value.objectValue else {
            throw .invalidField(path: path, field: "the document", reason: "is not a JSON object")
        }
        self.path = path
        self.object = object
    }

    /// A member; null counts as absent.
    subscript(key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    func invalid(_ key: String, _ reason: String) -> PackError {
        .invalidField(path: path, field: prefix + key, reason: reason)
    }

    /// A member that is an object, as a file of its own.
    func member(_ key: String) throws(PackError) -> JSONFile {
        guard let value = self[key] else { throw invalid(key, "is missing") }
        guard let object = value.objectValue else { throw invalid(key, "is not an object") }
        return JSONFile(path: path, object: object, prefix: "\(prefix)\(key).")
    }

    private init(path: String, object: JSONObject, prefix: String) {
        self.path = path
        self.object = object
        self.prefix = prefix
    }

    func string(_ key: String, default fallback: String? = nil) throws(PackError) -> String {
        guard let value = self[key] else {
            guard let fallback else { throw invalid(key, "is missing") }
            return fallback
        }
        guard let text = value.stringValue else { throw invalid(key, "is not a string") }
        return text
    }

    func integer(_ key: String, default fallback: Int? = nil) throws(PackError) -> Int {
        guard let value = self[key] else {
            guard let fallback else { throw invalid(key, "is missing") }
            return fallback
        }
        guard let number = value.intValue else { throw invalid(key, "is not an integer") }
        return number
    }

    func float(_ key: String, default fallback: Double) throws(PackError) -> Float {
        guard let value = self[key] else { return Float(fallback) }
        guard let number = value.doubleValue else { throw invalid(key, "is not a number") }
        return Float(number)
    }

    func bool(_ key: String, default fallback: Bool) throws(PackError) -> Bool {
        guard let value = self[key] else { return fallback }
        guard let flag = value.boolValue else { throw invalid(key, "is not true or false") }
        return flag
    }
}

/// Text as JSON writes it, for messages.
enum JSONText {
    static func quote(_ text: String) -> String { JSONValue.string(text).serialized() }
}
