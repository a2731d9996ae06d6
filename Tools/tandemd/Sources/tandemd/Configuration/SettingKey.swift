// SPDX-License-Identifier: Apache-2.0

/// Every setting, by its name in configuration files.
///
/// The flag is `--name`, the environment variable `TANDEM_NAME` with underscores: `--max-body`, `TANDEM_MAX_BODY`.
enum SettingKey: String, CaseIterable, Sendable {
    case model
    case host
    case port
    case unixSocket = "unix-socket"
    case unixSocketMode = "unix-socket-mode"
    case apiKey = "api-key"
    case apiKeyFile = "api-key-file"
    case anonymous
    case corsOrigin = "cors-origin"

    case contextSize = "ctx-size"
    case threads
    case memory
    case parallel
    case queue
    case draftMax = "draft-max"
    case draftTree = "draft-tree"
    case cacheType = "cache-type"
    case verify
    case chatTemplate = "chat-template"
    case idleUnload = "idle-unload"
    case lazy

    case maxBody = "max-body"
    case maxPromptTokens = "max-prompt-tokens"
    case maxTokens = "max-tokens"
    case maxTime = "max-time"
    case maxConnections = "max-connections"
    case keepAlive = "keep-alive"
    case drainTime = "drain-time"

    case logLevel = "log-level"
    case logFormat = "log-format"
    case logPrompts = "log-prompts"

    /// Whether the setting may be given several times; every time adds a value.
    var isList: Bool { self == .model || self == .apiKey }

    /// The environment variable.
    var environmentName: String {
        "TANDEM_" + String(rawValue.uppercased().map { $0 == "-" ? "_" : $0 })
    }
}

/// Where a setting was given.
enum SettingOrigin: Sendable, Equatable, CustomStringConvertible {
    case flag(SettingKey)
    case environment(SettingKey)
    case file(path: String, line: Int, key: SettingKey)

    var description: String {
        switch self {
        case .flag(let key): "--\(key.rawValue)"
        case .environment(let key): key.environmentName
        case .file(let path, let line, let key): "\(path):\(line): \(key.rawValue)"
        }
    }
}

/// A setting as it was written.
struct SettingText: Sendable, Equatable {
    let text: String
    let origin: SettingOrigin
}
