// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// Flags are read as texts; ``Settings`` checks them together with the file and the environment.
struct ModelFlags: ParsableArguments {
    @Option(name: .shortAndLong, help: "A model, as FILE or NAME=FILE; several times for several models.")
    var model: [String] = []

    @Option(
        name: [.customShort("c"), .customLong("ctx-size")],
        help: "Positions of every context (default: the model's own, or what its memory has room for).")
    var contextSize: String?

    @Option(name: .shortAndLong, help: "Threads that compute (default: the processors there are).")
    var threads: String?

    @Option(help: "Memory for a model: auto, mapped, or a size such as 512M (default: auto).")
    var memory: String?

    @Option(
        name: [.customLong("parallel"), .customLong("np", withSingleDash: true)],
        help: "Generations at a time, per model (default: 8).")
    var parallel: String?

    @Option(help: "Generations that may wait, per model; further ones are refused (default: 64).")
    var queue: String?

    @Option(help: "Most tokens drafted before a pass of the primary, 0...64 (default: 16).")
    var draftMax: String?

    @Option(
        help: """
            Most tokens drafted before a pass where several may stand in one place, 0...512; 0 = one chain (default: as many \
            as draft-max, and where weights are streamed as many as there is room for).
            """)
    var draftTree: String?

    @Option(help: "Element type of the caches: f16, int8 (or q8_0, the same) or f32 (default: f16).")
    var cacheType: String?

    @Option(help: "What is checked at loading: full, or structure alone (default: full).")
    var verify: String?

    @Option(help: "A file with a chat template, instead of the models' own.")
    var chatTemplate: String?

    @Option(help: "Unload a model after so long without requests; 0 = never (default: 0).")
    var idleUnload: String?

    @Option(help: "Load models at their first request: true or false (default: false).")
    var lazy: String?

    var values: [SettingKey: [String]] {
        var values = given([
            (.contextSize, contextSize), (.threads, threads), (.memory, memory), (.parallel, parallel),
            (.queue, queue), (.draftMax, draftMax), (.draftTree, draftTree), (.cacheType, cacheType),
            (.verify, verify), (.chatTemplate, chatTemplate), (.idleUnload, idleUnload), (.lazy, lazy),
        ])
        values[.model] = model
        return values
    }
}

struct ListenFlags: ParsableArguments {
    @Option(help: "The address to listen on (default: 127.0.0.1).")
    var host: String?

    @Option(help: "The port; 0 = any that is free (default: 8080).")
    var port: String?

    @Option(help: "A Unix socket to listen on; without --host and --port, instead of TCP.")
    var unixSocket: String?

    @Option(help: "The Unix socket's mode (default: 660).")
    var unixSocketMode: String?

    @Option(
        help:
            "A key that requests over TCP must show; several times for several keys. Others can see it: prefer a file."
    )
    var apiKey: [String] = []

    @Option(help: "A file with a key on every line; SIGHUP reads it again.")
    var apiKeyFile: String?

    @Option(help: "Serve other machines without any key: true or false (default: false).")
    var anonymous: String?

    @Option(help: "Pages from here may use the daemon (CORS): an origin, or '*' (default: none).")
    var corsOrigin: String?

    var values: [SettingKey: [String]] {
        var values = given([
            (.host, host), (.port, port), (.unixSocket, unixSocket), (.unixSocketMode, unixSocketMode),
            (.apiKeyFile, apiKeyFile), (.anonymous, anonymous), (.corsOrigin, corsOrigin),
        ])
        values[.apiKey] = apiKey
        return values
    }
}

struct LimitFlags: ParsableArguments {
    @Option(help: "Longest body of a request (default: 4M).")
    var maxBody: String?

    @Option(help: "Longest prompt in tokens (default: the context).")
    var maxPromptTokens: String?

    @Option(help: "Most tokens generated for an answer (default: the context).")
    var maxTokens: String?

    @Option(help: "Longest time of a request; 0 = no limit (default: 10m).")
    var maxTime: String?

    @Option(help: "Most connections at a time (default: 512).")
    var maxConnections: String?

    @Option(
        help:
            "How long a connection may be idle, a request take to arrive, and a client not read (default: 75s)."
    )
    var keepAlive: String?

    @Option(help: "How long requests may go on after SIGTERM (default: 30s).")
    var drainTime: String?

    var values: [SettingKey: [String]] {
        given([
            (.maxBody, maxBody), (.maxPromptTokens, maxPromptTokens), (.maxTokens, maxTokens),
            (.maxTime, maxTime),
            (.maxConnections, maxConnections), (.keepAlive, keepAlive), (.drainTime, drainTime),
        ])
    }
}

struct LogFlags: ParsableArguments {
    @Option(help: "trace, debug, info, notice, warning, error or critical (default: info).")
    var logLevel: String?

    @Option(help: "logfmt or json (default: logfmt).")
    var logFormat: String?

    @Option(help: "Log prompts too, at the level debug: true or false (default: false).")
    var logPrompts: String?

    var values: [SettingKey: [String]] {
        given([(.logLevel, logLevel), (.logFormat, logFormat), (.logPrompts, logPrompts)])
    }
}

private func given(_ flags: [(SettingKey, String?)]) -> [SettingKey: [String]] {
    var values: [SettingKey: [String]] = [:]
    for (key, value) in flags { values[key] = value.map { [$0] } }
    return values
}
