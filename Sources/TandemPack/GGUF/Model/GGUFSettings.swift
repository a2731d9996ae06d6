// SPDX-License-Identifier: Apache-2.0

/// Typed access to the metadata of a model; every error names the file and the key.
struct GGUFSettings: Sendable {
    let file: GGUFFile
    /// `general.architecture`: what stands before the keys of the model's own settings.
    let architecture: String

    init(_ file: GGUFFile) throws(PackError) {
        self.file = file
        guard let value = file["general.architecture"] else {
            throw .invalidField(path: file.path, field: "general.architecture", reason: "is missing")
        }
        guard let bytes = value.bytes, let name = String(validating: bytes, as: UTF8.self) else {
            throw .invalidField(path: file.path, field: "general.architecture", reason: "is not a text")
        }
        architecture = name
    }

    var path: String { file.path }

    /// The full name of one of the model's own settings.
    func key(_ name: String) -> String { "\(architecture).\(name)" }

    subscript(name: String) -> GGUFValue? { file[key(name)] }

    func invalid(_ name: String, _ reason: String) -> PackError {
        .invalidField(path: path, field: key(name), reason: reason)
    }

    func unsupported(_ name: String, _ reason: String) -> PackError {
        .unsupportedSetting(path: path, key: key(name), value: self[name]?.text ?? "absent", reason: reason)
    }

    // MARK: The model's own settings

    func integer(_ name: String, default fallback: Int? = nil) throws(PackError) -> Int {
        guard let value = self[name] else {
            guard let fallback else { throw invalid(name, "is missing") }
            return fallback
        }
        guard let number = value.intValue else { throw invalid(name, "is not an integer") }
        return number
    }

    /// A number that is the same for all layers, given once or for each of them.
    func layerInteger(_ name: String, layers: Int, default fallback: Int? = nil) throws(PackError) -> Int {
        guard let array = self[name]?.arrayValue else { return try integer(name, default: fallback) }
        guard let numbers = array.integers, numbers.count >= layers, let first = numbers.first else {
            throw invalid(name, "must be an integer, or one for each of \(layers) layers")
        }
        guard numbers.prefix(layers).allSatisfy({ $0 == first }) else {
            throw unsupported(name, "all layers must have the same size")
        }
        return first
    }

    func number(_ name: String) throws(PackError) -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.doubleValue, number.isFinite else { throw invalid(name, "is not a number") }
        return number
    }

    /// A factor that the container can hold; nil when absent.
    func factor(_ name: String) throws(PackError) -> Double? {
        guard let value = try number(name) else { return nil }
        guard value >= 1e-6, value <= 1e6 else {
            throw invalid(name, "is \(value), but must be in 1e-6...1e6")
        }
        return value
    }

    func bool(_ name: String, default fallback: Bool) throws(PackError) -> Bool {
        guard let value = self[name] else { return fallback }
        guard let flag = value.boolValue else { throw invalid(name, "is not true or false") }
        return flag
    }

    func text(_ name: String) throws(PackError) -> String? {
        try GGUFSettings.text(file, key(name))
    }

    /// A text of the file; nil when absent.
    static func text(_ file: GGUFFile, _ key: String) throws(PackError) -> String? {
        guard let value = file[key] else { return nil }
        guard let bytes = value.bytes else {
            throw .invalidField(path: file.path, field: key, reason: "is not a text")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .invalidField(path: file.path, field: key, reason: "is not valid UTF-8")
        }
        return text
    }
}

extension GGUFValue {
    /// A short form for messages.
    var text: String {
        switch self {
        case .integer(.signed(let value), _): "\(value)"
        case .integer(.unsigned(let value), _): "\(value)"
        case .float(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .string(let bytes): JSONText.quote(String(decoding: bytes.prefix(80), as: UTF8.self))
        case .array(let array): "an array of \(array.count)"
        }
    }
}
