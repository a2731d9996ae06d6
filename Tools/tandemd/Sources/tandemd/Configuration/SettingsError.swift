// SPDX-License-Identifier: Apache-2.0

/// Why the daemon cannot start with its settings.
enum SettingsError: Error, Sendable, Equatable {
    /// A value is out of its range; names the flag, the variable or the line.
    case invalid(origin: SettingOrigin, value: String, allowed: String)
    /// A line of the configuration file is no setting.
    case syntax(path: String, line: Int, reason: String)
    /// A line of the configuration file names a setting that does not exist.
    case unknownKey(path: String, line: Int, key: String)
    /// A setting is given twice in one file.
    case repeated(path: String, line: Int, key: String, firstLine: Int)
    /// A file that the settings name cannot be read.
    case unreadable(path: String, reason: String)
    /// Settings that do not go together, or one that is missing.
    case conflict(String)
}

extension SettingsError: CustomStringConvertible {
    var description: String {
        switch self {
        case .invalid(let origin, let value, let allowed):
            "\(origin) is '\(value)', but must be \(allowed)"
        case .syntax(let path, let line, let reason):
            "\(path):\(line): \(reason)"
        case .unknownKey(let path, let line, let key):
            "\(path):\(line): there is no setting '\(key)'; see tandemd --help"
        case .repeated(let path, let line, let key, let firstLine):
            "\(path):\(line): '\(key)' is already set on line \(firstLine)"
        case .unreadable(let path, let reason):
            "\(path): \(reason)"
        case .conflict(let text):
            text
        }
    }
}
