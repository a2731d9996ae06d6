// SPDX-License-Identifier: Apache-2.0

/// How many generations of a model run at a time, and how many may wait.
public struct SchedulingOptions: Sendable, Equatable {
    /// Generations that run at a time; their passes are combined.
    public let maxRunning: Int
    /// Generations that wait for one of the running ones to end. One more is refused with
    /// ``TandemError/queueFull(waiting:limit:)``.
    public let maxQueued: Int

    /// Checks and keeps the options.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(maxRunning: Int = 16, maxQueued: Int = 256) throws(TandemError) {
        guard (1...1024).contains(maxRunning) else {
            throw .invalidParameter(name: "max-running", value: "\(maxRunning)", allowed: "in 1 ... 1024")
        }
        guard (0...1_000_000).contains(maxQueued) else {
            throw .invalidParameter(
                name: "max-queued", value: "\(maxQueued)", allowed: "in 0 ... 1000000")
        }
        self.maxRunning = maxRunning
        self.maxQueued = maxQueued
    }

    private init() {
        maxRunning = 16
        maxQueued = 256
    }

    /// 16 that run, 256 that wait.
    public static let `default` = SchedulingOptions()
}
