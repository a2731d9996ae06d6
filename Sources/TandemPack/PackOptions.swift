// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How to pack a checkpoint.
///
///     var options = try PackOptions(weights: .int8(.columns64))
///     options.secondary = .int4(.columns32)
public struct PackOptions: Sendable {
    /// The primary's matrices.
    public var primary: WeightFormat
    /// The secondary's matrices.
    public var secondary: WeightFormat
    /// The tandem projections.
    public var projections: WeightFormat
    /// Embeddings and output heads of both models; nil treats them like the other matrices of their model.
    public var embeddings: WeightFormat?
    /// Whether an existing destination is replaced.
    public var overwrite: Bool
    /// Whether the checkpoint's chat template is left out, as it has to be when it cannot be used.
    public var omitsChatTemplate = false
    /// Threads that quantise; the calling thread only writes.
    public let threadCount: Int
    /// Asked between blocks of rows, on the calling thread; true ends packing with ``PackError/cancelled``.
    public var isCancelled: (@Sendable () -> Bool)?

    /// - Parameters:
    ///   - weights: the format of all matrices; 8 bits with a scale for every 64 columns unless told.
    ///   - threadCount: 1 … 256; nil takes the processors that are online.
    /// - Throws: ``PackError/invalidOption(name:value:allowed:)``.
    public init(
        weights: WeightFormat = .int8(.columns64), overwrite: Bool = false, threadCount: Int? = nil
    ) throws(PackError) {
        let threads = threadCount ?? min(max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), 256)
        guard (1...256).contains(threads) else {
            throw .invalidOption(name: "threads", value: "\(threads)", allowed: "1...256")
        }
        primary = weights
        secondary = weights
        projections = weights
        embeddings = nil
        self.overwrite = overwrite
        self.threadCount = threads
        isCancelled = nil
    }
}
