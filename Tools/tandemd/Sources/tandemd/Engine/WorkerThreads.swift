// SPDX-License-Identifier: Apache-2.0

import NIOPosix

/// Threads on which everything runs that takes long: generating, loading, tokenising. Event loops and Swift's
/// cooperative threads never wait for the engine.
final class WorkerThreads: Sendable {
    private let generating: NIOThreadPool
    private let preparing: NIOThreadPool

    /// - Parameter generations: how many generations there can be at a time.
    init(generations: Int) {
        generating = NIOThreadPool(numberOfThreads: generations)
        preparing = NIOThreadPool(numberOfThreads: 4)
        generating.start()
        preparing.start()
    }

    /// Runs what takes as long as a generation.
    func generate<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await generating.runIfActive(body)
    }

    /// Runs what takes milliseconds, or as long as loading a model.
    func prepare<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await preparing.runIfActive(body)
    }
}
