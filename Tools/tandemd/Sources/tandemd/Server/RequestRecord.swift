// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Logging
import Synchronization

/// One request, for the log and the metrics: noted once, when its answer has been written.
final class RequestRecord: Sendable {
    let id: String
    let method: String
    let path: String
    private let route: String
    private let begun = monotonicSeconds()
    private let state = Mutex(State())
    private let daemon: Daemon

    private struct State {
        var metadata: Logger.Metadata = [:]
        var isFinished = false
    }

    init(id: String, method: String, path: String, route: Route?, daemon: Daemon) {
        self.id = id
        self.method = method
        self.path = path
        self.route = route?.name ?? "unknown"
        self.daemon = daemon
    }

    deinit { finish(.clientClosedRequest) }

    /// Adds a fact to the line of the log.
    func note(_ name: String, _ value: String) {
        state.withLock { $0.metadata[name] = .string(value) }
    }

    /// Notes an answer's numbers of tokens.
    func note(_ usage: UsageCount) {
        note("prompt_tokens", "\(usage.prompt)")
        note("cached_tokens", "\(usage.cached)")
        note("completion_tokens", "\(usage.completion)")
    }

    /// Writes the line; only the first call counts.
    func finish(_ status: HTTPResponse.Status) {
        let metadata = state.withLock { state -> Logger.Metadata? in
            guard !state.isFinished else { return nil }
            state.isFinished = true
            return state.metadata
        }
        guard var metadata else { return }
        let seconds = monotonicSeconds() - begun
        daemon.metrics.requests[[route, "\(status.code)"]].add(1)
        if route != "health" && route != "metrics" { daemon.metrics.requestSeconds.observe(seconds) }
        metadata["request"] = "\(id)"
        metadata["method"] = "\(method)"
        metadata["path"] = "\(path)"
        metadata["status"] = "\(status.code)"
        metadata["seconds"] = "\(rounded(seconds, 4))"
        // Probes and scrapes come every few seconds.
        let isRoutine = (route == "health" || route == "metrics") && status.code < 400
        daemon.logger.log(level: isRoutine ? .debug : .info, "Request", metadata: metadata)
    }
}
