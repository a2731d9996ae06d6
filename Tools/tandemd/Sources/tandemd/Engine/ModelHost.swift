// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization
import Tandem

/// One of the daemon's models: loaded when a request needs it, unloaded after a time without any.
///
/// Thread safety: any thread.
final class ModelHost: Sendable {
    let name: String
    let path: String
    /// Seconds since 1970 at which the file was last changed.
    let created: Int
    let gate: Gate
    private let managed: ManagedModel
    private let settings: Settings
    private let threads: WorkerThreads
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var loaded: LoadedModel?
        var users = 0
        var lastUsed: Double
        var loading = 0
        var loads = 0
        var totals = ModelTotals()
    }

    init(_ model: Settings.Model, settings: Settings, threads: WorkerThreads, logger: Logger) {
        name = model.name
        path = model.path
        created = modificationTime(of: model.path) ?? unixSeconds()
        gate = Gate(permits: settings.parallel, limit: settings.queue)
        managed = ManagedModel(path: model.path, options: settings.load)
        self.settings = settings
        self.threads = threads
        self.logger = logger
        state = Mutex(State(lastUsed: monotonicSeconds()))
    }

    /// The model, kept in memory while the lease lives.
    struct Lease: Sendable {
        let loaded: LoadedModel
        private let token: Token

        fileprivate init(_ loaded: LoadedModel, _ host: ModelHost) {
            self.loaded = loaded
            token = Token(host)
        }
    }

    /// Counts one user until it is released.
    fileprivate final class Token: Sendable {
        private let host: ModelHost

        init(_ host: ModelHost) { self.host = host }

        deinit {
            host.state.withLock { state in
                state.users -= 1
                state.lastUsed = monotonicSeconds()
            }
        }
    }

    /// Whether the model is being read.
    var isLoading: Bool { state.withLock { $0.loading > 0 } }
    /// The model, if it is in memory.
    var loaded: LoadedModel? { state.withLock { $0.loaded } }
    /// How often the model was loaded.
    var loads: Int { state.withLock { $0.loads } }

    /// What the model has done.
    var totals: ModelTotals {
        let (loaded, before) = state.withLock { ($0.loaded, $0.totals) }
        var totals = before
        if let loaded { totals.add(loaded.model.statistics) }
        return totals
    }

    /// The model, which is loaded first where it is not in memory.
    /// - Throws: ``APIError`` 503 when it cannot be loaded.
    func lease() async throws -> Lease {
        if let lease = existingLease() { return lease }
        state.withLock { $0.loading += 1 }
        defer { state.withLock { $0.loading -= 1 } }
        return try await threads.prepare { try self.load() }
    }

    private func existingLease() -> Lease? {
        let loaded = state.withLock { state -> LoadedModel? in
            guard let loaded = state.loaded else { return nil }
            state.users += 1
            return loaded
        }
        return loaded.map { Lease($0, self) }
    }

    private func load() throws(APIError) -> Lease {
        let start = monotonicSeconds()
        do throws(TandemError) {
            let model = try managed.acquire()
            // Others may have waited for the same load.
            if let lease = existingLease() { return lease }
            let loaded = try LoadedModel(
                model: model, template: settings.chatTemplate, sessions: settings.parallel,
                options: settings.load.session)
            let kept = state.withLock { state in
                let kept = state.loaded ?? loaded
                if state.loaded == nil { state.loads += 1 }
                state.loaded = kept
                state.users += 1
                return kept
            }
            if kept === loaded { logLoad(kept, seconds: monotonicSeconds() - start) }
            return Lease(kept, self)
        } catch {
            logger.error(
                "The model cannot be loaded",
                metadata: ["model": "\(name)", "path": "\(path)", "reason": "\(error)"])
            throw APIError(
                status: .serviceUnavailable, kind: .server,
                message: "the model '\(name)' cannot be loaded: \(error)", code: "model_unavailable",
                retryAfter: 10)
        }
    }

    private func logLoad(_ loaded: LoadedModel, seconds: Double) {
        let plan = loaded.model.memoryPlan
        logger.info(
            "Model loaded",
            metadata: [
                "model": "\(name)", "seconds": "\(rounded(seconds, 3))",
                "residency": "\(plan.residency.rawValue)",
                "plan_bytes": "\(plan.totalBytes)", "context": "\(loaded.contextSize)",
                "threads": "\(loaded.model.threadCount)", "isa": "\(loaded.model.instructionSet)",
                "tools": "\(loaded.toolFormat.rawValue)",
            ])
    }

    /// Gives the model's memory back when no request has used it for so long; returns whether it did.
    func unloadIfIdle(seconds: Double) async -> Bool {
        guard isIdle(seconds: seconds) else { return false }
        let wasUnloaded = try? await threads.prepare {
            self.letGo()
            return self.managed.unloadIfIdle(for: 0)
        }
        guard wasUnloaded == true else { return false }
        logger.info("Model unloaded", metadata: ["model": "\(name)"])
        return true
    }

    private func isIdle(seconds: Double) -> Bool {
        managed.isLoaded
            && state.withLock { state in
                state.users == 0 && state.loading == 0 && monotonicSeconds() - state.lastUsed >= seconds
            }
    }

    /// Drops what refers to the model.
    private func letGo() {
        let loaded = state.withLock { state -> LoadedModel? in
            guard state.users == 0, state.loading == 0, let loaded = state.loaded else { return nil }
            state.totals.add(loaded.model.statistics)
            state.loaded = nil
            return loaded
        }
        loaded?.pool.removeAll()
    }
}

/// What a model has done over all its loads.
struct ModelTotals: Sendable {
    private(set) var primaryPasses = 0
    private(set) var primaryRows = 0
    private(set) var bytesStreamed = 0
    private(set) var passSeconds = 0.0

    mutating func add(_ statistics: ModelStatistics) {
        primaryPasses += statistics.primaryPasses
        primaryRows += statistics.primaryRows
        bytesStreamed += statistics.bytesStreamed
        passSeconds += statistics.passSeconds
    }
}
