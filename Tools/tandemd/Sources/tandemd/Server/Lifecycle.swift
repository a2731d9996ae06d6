// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Starts the daemon, keeps it going, and ends it in order.
struct Lifecycle: Sendable {
    let daemon: Daemon
    let notifier: ServiceNotifier
    let logger: Logger

    /// Runs until a signal ends the daemon.
    /// - Throws: when a model cannot be loaded or an address cannot be listened on.
    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let listeners = daemon.settings.listeners.all
        for listener in listeners { try listener.checkIsFree() }
        let start = StartCount(listeners.count + 1) { notifier.ready("Serving \(modelNames)") }
        let services = listeners.map { listener -> any Service in
            listener.application(daemon: daemon, logger: serverLogger) { address in
                logger.info("Listening", metadata: ["address": "\(address)", "seconds": "\(start.seconds)"])
                start.finishOne()
            }
        }
        var configuration = ServiceGroupConfiguration(services: services, logger: serverLogger)
        // Clients that do not read what they are sent are not waited for.
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        let group = ServiceGroup(configuration: configuration)
        let loading = Task {
            do {
                try await loadModels()
                start.finishOne()
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
        let keeping = Task { await keepUp() }
        let listening = Task { await listen(to: signals, group) }
        defer {
            keeping.cancel()
            listening.cancel()
            for listener in listeners { listener.remove() }
        }
        do {
            try await group.run()
        } catch {
            guard daemon.isDraining else { throw error }
            logger.warning("Connections were cut off", metadata: ["reason": "\(error)"])
        }
        if daemon.isStarting, !daemon.isDraining { try await loading.value }
        logger.info("Stopped")
    }

    private var modelNames: String { daemon.hosts.map(\.name).joined(separator: ", ") }

    /// The server's own messages matter only where something is wrong.
    private var serverLogger: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    private func loadModels() async throws {
        notifier.status("Loading")
        let extending = Task {
            // Large models on slow storage take longer than services are given by default.
            while !Task.isCancelled {
                notifier.extendStart(seconds: 60)
                try? await Task.sleep(for: .seconds(20))
            }
        }
        defer { extending.cancel() }
        if !daemon.settings.isLazy {
            for host in daemon.hosts { _ = try await host.lease() }
        }
        daemon.start()
    }

    /// The watchdog's sign of life, and the unloading of idle models.
    private func keepUp() async {
        let idle = daemon.settings.idleUnload
        let watchdog = notifier.watchdogSeconds
        var step = watchdog.map { $0 / 3 } ?? 30
        if idle > 0 { step = min(step, max(0.1, idle / 4)) }
        while !Task.isCancelled {
            if watchdog != nil, await isAlive() { notifier.alive() }
            if idle > 0 {
                for host in daemon.hosts { _ = await host.unloadIfIdle(seconds: idle) }
            }
            try? await Task.sleep(for: .milliseconds(Int(step * 1000)))
        }
    }

    /// Whether event loops and threads still turn; hangs when one does not, and so the watchdog bites.
    private func isAlive() async -> Bool {
        for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
            guard (try? await loop.submit {}.get()) != nil else { return false }
        }
        return true
    }

    private func listen(to signals: UnixSignalsSequence, _ group: ServiceGroup) async {
        for await signal in signals {
            switch signal {
            case .sighup: reload()
            default:
                if daemon.isDraining {
                    logger.notice("Second signal: generations are cancelled")
                    daemon.cancelAll(.draining)
                } else {
                    notifier.stopping()
                    daemon.drain()
                    Task { await drain(group) }
                }
            }
        }
    }

    /// Reads the keys again.
    private func reload() {
        do throws(SettingsError) {
            try daemon.keys.reload()
            logger.notice("API keys read again", metadata: ["count": "\(daemon.keys.count)"])
        } catch {
            logger.error("API keys stay as they were", metadata: ["reason": "\(error)"])
        }
    }

    /// Lets requests end, for a time, and then stops the servers.
    private func drain(_ group: ServiceGroup) async {
        let limit = daemon.settings.limits.drain
        logger.notice(
            "Draining", metadata: ["active": "\(daemon.activeRequests)", "limit_seconds": "\(limit)"])
        let deadline = monotonicSeconds() + limit
        while daemon.activeRequests > 0, monotonicSeconds() < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        if daemon.activeRequests > 0 {
            logger.warning("Requests are cut off", metadata: ["active": "\(daemon.activeRequests)"])
            daemon.cancelAll(.draining)
            let grace = monotonicSeconds() + 2
            while daemon.activeRequests > 0, monotonicSeconds() < grace {
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
        await group.triggerGracefulShutdown()
    }
}

/// Counts what a start waits for.
private final class StartCount: Sendable {
    private let left: Mutex<Int>
    private let begun = monotonicSeconds()
    private let action: @Sendable () -> Void

    init(_ count: Int, _ action: @escaping @Sendable () -> Void) {
        left = Mutex(count)
        self.action = action
    }

    var seconds: Double { rounded(monotonicSeconds() - begun, 3) }

    func finishOne() {
        let isLast = left.withLock { left in
            left -= 1
            return left == 0
        }
        if isLast { action() }
    }
}
