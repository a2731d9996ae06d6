// SPDX-License-Identifier: Apache-2.0

import Logging
import Tandem

extension Logger.Level {
    static let names = allCases.map(\.rawValue).joined(separator: ", ")
}

extension Settings {
    /// Reads and checks all settings.
    /// - Throws: ``SettingsError``.
    init(_ reader: SettingsReader) throws(SettingsError) {
        models = try Self.models(reader)
        listeners = try Self.listeners(reader)
        apiKeys = try Self.apiKeys(reader)
        apiKeyFile = reader.string(.apiKeyFile)
        corsOrigin = try Self.corsOrigin(reader)
        parallel = try reader.integer(.parallel, in: 1...256) ?? 8
        queue = try reader.integer(.queue, in: 0...100_000) ?? 64
        draftMax = try reader.integer(.draftMax, in: 0...64) ?? 16
        chatTemplate = try reader.string(.chatTemplate).map { (path) throws(SettingsError) in
            try readTextFile(path, limit: 1 << 20)
        }
        load = try Self.loadOptions(reader, parallel: parallel, queue: queue, draftMax: draftMax)
        idleUnload = try reader.seconds(.idleUnload) ?? 0
        isLazy = try reader.flag(.lazy) ?? false

        limits = Limits()
        limits.bodyBytes = try reader.bytes(.maxBody) ?? limits.bodyBytes
        guard limits.bodyBytes <= 1 << 30 else { throw reader.invalid(.maxBody, allowed: "at most 1G") }
        limits.promptTokens = try reader.integer(.maxPromptTokens, in: 1...Int.max)
        limits.generatedTokens = try reader.integer(.maxTokens, in: 1...Int.max)
        limits.seconds = try reader.seconds(.maxTime) ?? limits.seconds
        limits.connections = try reader.integer(.maxConnections, in: 1...65_535) ?? limits.connections
        limits.keepAlive = try reader.seconds(.keepAlive) ?? limits.keepAlive
        guard limits.keepAlive >= 1 else { throw reader.invalid(.keepAlive, allowed: "at least one second") }
        limits.drain = try reader.seconds(.drainTime) ?? limits.drain

        logLevel = try Self.logLevel(reader)
        logFormat = try reader.choice(.logFormat, as: LogFormat.self) ?? .logfmt
        logsPrompts = try reader.flag(.logPrompts) ?? false
        try checkExposure(isAnonymous: try reader.flag(.anonymous) ?? false)
    }

    private static func models(_ reader: SettingsReader) throws(SettingsError) -> [Model] {
        var models: [Model] = []
        for text in reader.list(.model) where !text.text.isEmpty {
            let parts = text.text.split(separator: "=", maxSplits: 1)
            let path = String(parts.last ?? "")
            var name = parts.count == 2 ? String(parts[0]) : String(path.split(separator: "/").last ?? "")
            if parts.count == 1, name.hasSuffix(".tandem") { name.removeLast(7) }
            guard !name.isEmpty, !path.isEmpty, name.utf8.count <= 256 else {
                throw .invalid(origin: text.origin, value: text.text, allowed: "PATH or NAME=PATH")
            }
            guard !models.contains(where: { $0.name == name }) else {
                throw .invalid(
                    origin: text.origin, value: text.text,
                    allowed: "a model of another name than '\(name)', which is taken (NAME=PATH)")
            }
            models.append(Model(name: name, path: path))
        }
        guard !models.isEmpty else {
            throw .conflict("no model is given; use --model FILE, TANDEM_MODEL or 'model = FILE'")
        }
        return models
    }

    private static func listeners(_ reader: SettingsReader) throws(SettingsError) -> Listeners {
        var listeners = Listeners()
        let mode = reader.text(.unixSocketMode)
        if let path = reader.string(.unixSocket) {
            guard path.utf8.count < 108 else {
                throw reader.invalid(.unixSocket, allowed: "a path of at most 107 bytes")
            }
            let bits = UInt32(mode?.text ?? "660", radix: 8)
            guard let bits, bits <= 0o777 else {
                throw reader.invalid(.unixSocketMode, allowed: "an octal mode, such as 660")
            }
            listeners.unix = .init(path: path, mode: bits)
        } else if let mode {
            throw .conflict("\(mode.origin) is given, but no unix-socket")
        }
        let port = try reader.integer(.port, in: 0...65_535)
        let host = reader.string(.host)
        // With a Unix socket alone, nothing listens on the network.
        if listeners.unix == nil || port != nil || host != nil {
            listeners.tcp = .init(host: host ?? "127.0.0.1", port: port ?? 8080)
        }
        return listeners
    }

    private static func apiKeys(_ reader: SettingsReader) throws(SettingsError) -> [String] {
        var keys: [String] = []
        for text in reader.list(.apiKey) where !text.text.isEmpty {
            guard APIKeys.isUsable(text.text) else {
                throw .invalid(
                    origin: text.origin, value: "…", allowed: "a key of visible ASCII characters")
            }
            keys.append(text.text)
        }
        return keys
    }

    private static func corsOrigin(_ reader: SettingsReader) throws(SettingsError) -> String? {
        guard let text = reader.text(.corsOrigin) else { return nil }
        let isOrigin =
            text.text == "*"
            || (text.text.hasPrefix("http://") || text.text.hasPrefix("https://"))
                && text.text.utf8.allSatisfy { (0x21...0x7E).contains($0) } && text.text.last != "/"
        guard isOrigin else {
            throw .invalid(
                origin: text.origin, value: text.text,
                allowed: "'*' or one origin, such as https://example.org")
        }
        return text.text
    }

    private static func memory(_ reader: SettingsReader) throws(SettingsError) -> MemoryBudget {
        guard let text = reader.text(.memory) else { return .automatic }
        guard let budget = MemoryBudget(text.text) else {
            throw .invalid(
                origin: text.origin, value: text.text, allowed: "auto, mapped, or a size such as 512M")
        }
        return budget
    }

    private static func logLevel(_ reader: SettingsReader) throws(SettingsError) -> Logger.Level {
        guard let text = reader.text(.logLevel) else { return .info }
        guard let level = Logger.Level(rawValue: text.text) else {
            throw .invalid(
                origin: text.origin, value: text.text, allowed: "one of \(Logger.Level.names)")
        }
        return level
    }

    private static func loadOptions(
        _ reader: SettingsReader, parallel: Int, queue: Int, draftMax: Int
    ) throws(SettingsError) -> LoadOptions {
        enum Verification: String, CaseIterable { case structure, full }
        enum CacheType: String, CaseIterable {
            case f16, int8, f32
            case blocks = "q8_0"

            var keyValueType: KeyValueType {
                switch self {
                case .f16: .f16
                case .int8, .blocks: .int8
                case .f32: .f32
                }
            }
        }
        let context = try reader.integer(.contextSize, in: 2...(1 << 24))
        let threads = try reader.integer(.threads, in: 1...1024)
        let verification = try reader.choice(.verify, as: Verification.self) ?? .full
        let cache = try reader.choice(.cacheType, as: CacheType.self) ?? .f16
        let tree = try reader.integer(.draftTree, in: SessionOptions.treeSizes)
        let budget = try memory(reader)
        do {
            return try LoadOptions(
                threadCount: threads, verification: verification == .full ? .full : .structure,
                memory: budget,
                session: SessionOptions(
                    contextSize: context, maxDraft: draftMax, maxTree: tree,
                    keyValueType: cache.keyValueType),
                sessionCount: parallel,
                // The gate before it holds back what is more; embeddings and answers count alike.
                scheduling: SchedulingOptions(maxRunning: parallel, maxQueued: parallel))
        } catch {
            throw .conflict(error.description)
        }
    }

    /// Refuses to serve the network without a key, unless it is asked for.
    private func checkExposure(isAnonymous: Bool) throws(SettingsError) {
        guard let tcp = listeners.tcp, apiKeys.isEmpty, apiKeyFile == nil, !isAnonymous else { return }
        guard LoopbackHost.isLoopback(tcp.host) else {
            throw .conflict(
                "\(tcp.host) can be reached from other machines, and no API key is set; give --api-key-file"
                    + " or --api-key, or say --anonymous true")
        }
    }
}
