// SPDX-License-Identifier: Apache-2.0

/// A configuration file: lines of `name = value`.
///
/// Empty lines, and those whose first character is `#` or `;`, are comments. A value may stand in double quotes, which keep
/// its spaces. A setting stands once in a file, but for `model` and `api-key`.
struct ConfigurationFile: Sendable, Equatable {
    let settings: [SettingKey: [SettingText]]

    /// - Throws: ``SettingsError`` that names the line.
    init(path: String) throws(SettingsError) {
        try self.init(text: try readTextFile(path, limit: 1 << 20), path: path)
    }

    init(text: String, path: String) throws(SettingsError) {
        var settings: [SettingKey: [SettingText]] = [:]
        var lines: [SettingKey: Int] = [:]
        for (index, rawLine) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let number = index + 1
            let line = trimmed(rawLine)
            guard let first = line.first, first != "#", first != ";" else { continue }
            guard let equals = line.firstIndex(of: "=") else {
                throw .syntax(path: path, line: number, reason: "expected 'name = value'")
            }
            let name = String(trimmed(line[..<equals]))
            guard let key = SettingKey(rawValue: name) else {
                throw .unknownKey(path: path, line: number, key: name)
            }
            if let firstLine = lines[key], !key.isList {
                throw .repeated(path: path, line: number, key: name, firstLine: firstLine)
            }
            lines[key] = number
            let value = trimmed(line[line.index(after: equals)...])
            settings[key, default: []].append(
                SettingText(
                    text: try Self.unquoted(value, path: path, line: number),
                    origin: .file(path: path, line: number, key: key)))
        }
        self.settings = settings
    }

    private static func unquoted(_ value: Substring, path: String, line: Int) throws(SettingsError) -> String
    {
        guard value.first == "\"" else { return String(value) }
        guard value.count >= 2, value.last == "\"", !value.dropFirst().dropLast().contains("\"") else {
            throw .syntax(path: path, line: line, reason: "a quoted value must end with its only other quote")
        }
        return String(value.dropFirst().dropLast())
    }
}

/// A text without white space at its ends.
func trimmed(_ text: Substring) -> Substring {
    var text = text
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return text
}
