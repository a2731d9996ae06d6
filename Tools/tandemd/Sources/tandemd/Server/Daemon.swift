// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization

/// The daemon: its models, its settings, and what is under way.
///
/// Thread safety: any thread.
final class Daemon: Sendable {
    let settings: Settings
    let logger: Logger
    let metrics = Metrics()
    let threads: WorkerThreads
    let keys: APIKeys
    /// The first is the one that requests mean that name none.
    let hosts: [ModelHost]
    let started = unixSeconds()
    private let isLoaded = Atomic<Bool>(false)
    private let isShuttingDown = Atomic<Bool>(false)
    private let active = Atomic<Int>(0)
    private let jobs = Mutex<[ObjectIdentifier: GenerationJob]>([:])

    init(settings: Settings, keys: APIKeys, logger: Logger) {
        self.settings = settings
        self.logger = logger
        self.keys = keys
        let threads = WorkerThreads(generations: settings.parallel * settings.models.count)
        self.threads = threads
        hosts = settings.models.map { ModelHost($0, settings: settings, threads: threads, logger: logger) }
    }

    /// Whether no new work is taken.
    var isDraining: Bool { isShuttingDown.load(ordering: .acquiring) }

    /// Whether the models are still being loaded for the first time.
    var isStarting: Bool { !isLoaded.load(ordering: .acquiring) }

    /// Takes work from now on.
    func start() { isLoaded.store(true, ordering: .releasing) }

    /// Refuses new work from now on.
    func drain() { isShuttingDown.store(true, ordering: .releasing) }

    /// Requests to the engine that have not been answered in full.
    var activeRequests: Int { active.load(ordering: .acquiring) }

    /// Counts a request to the engine as active while the result lives.
    /// - Throws: 503 while the daemon starts or shuts down.
    func enter() throws(APIError) -> Activity {
        let activity = Activity(self)
        guard !isDraining else { throw .draining }
        guard !isStarting else { throw .loading }
        return activity
    }

    final class Activity: Sendable {
        private let daemon: Daemon

        fileprivate init(_ daemon: Daemon) {
            self.daemon = daemon
            daemon.active.add(1, ordering: .acquiringAndReleasing)
        }

        deinit { daemon.active.subtract(1, ordering: .acquiringAndReleasing) }
    }

    func add(_ job: GenerationJob) { jobs.withLock { $0[ObjectIdentifier(job)] = job } }
    func remove(_ job: GenerationJob) { jobs.withLock { $0[ObjectIdentifier(job)] = nil } }

    /// Ends all generations.
    func cancelAll(_ failure: APIError) {
        let all = jobs.withLock { Array($0.values) }
        for job in all { job.cancel(failure) }
    }

    /// The model that a request names, or the first.
    /// - Throws: 404.
    func host(_ fields: Fields) throws(APIError) -> ModelHost {
        guard let name = try fields.string("model"), !name.isEmpty else { return hosts[0] }
        return try host(named: name)
    }

    func host(named name: String) throws(APIError) -> ModelHost {
        guard let host = hosts.first(where: { $0.name == name }) else {
            let names = hosts.map { "'\($0.name)'" }.joined(separator: ", ")
            throw .notFound(
                "there is no model '\(name)'; there is: \(names)", code: "model_not_found", param: "model")
        }
        return host
    }
}
