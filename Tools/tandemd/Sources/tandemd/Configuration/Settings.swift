// SPDX-License-Identifier: Apache-2.0

import Logging
import Tandem

/// What the daemon does, checked.
struct Settings: Sendable {
    /// A model that requests may name.
    struct Model: Sendable, Equatable {
        let name: String
        let path: String
    }

    /// Where connections are taken.
    struct Listeners: Sendable, Equatable {
        /// Nil = no TCP.
        var tcp: TCP?
        /// Nil = no Unix socket.
        var unix: Unix?

        var all: [Listener] {
            let first = tcp.map { Listener.tcp(host: $0.host, port: $0.port) }
            let second = unix.map { Listener.unix(path: $0.path, mode: $0.mode) }
            return [first, second].compactMap { $0 }
        }

        struct TCP: Sendable, Equatable {
            var host: String
            var port: Int
        }
        struct Unix: Sendable, Equatable {
            var path: String
            var mode: UInt32
        }
    }

    /// What one request may take.
    struct Limits: Sendable, Equatable {
        var bodyBytes = 4 << 20
        /// Nil = the context.
        var promptTokens: Int?
        /// Nil = the context.
        var generatedTokens: Int?
        /// Seconds of a whole request; 0 = no limit.
        var seconds = 600.0
        var connections = 512
        /// Seconds that a connection may stay idle, and that a request may take to arrive.
        var keepAlive = 75.0
        /// Seconds that requests have to end after SIGTERM.
        var drain = 30.0
    }

    enum LogFormat: String, CaseIterable, Sendable { case logfmt, json }

    var models: [Model]
    var listeners: Listeners
    var apiKeys: [String]
    var apiKeyFile: String?
    var corsOrigin: String?
    var load: LoadOptions
    /// Requests that generate at a time, per model.
    var parallel: Int
    /// Requests that may wait, per model.
    var queue: Int
    var draftMax: Int
    var chatTemplate: String?
    /// Seconds without a request after which a model is unloaded; 0 = never.
    var idleUnload: Double
    /// Whether models are loaded at their first request only.
    var isLazy: Bool
    var limits: Limits
    var logLevel: Logger.Level
    var logFormat: LogFormat
    var logsPrompts: Bool
}
