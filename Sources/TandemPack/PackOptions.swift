// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How to pack a checkpoint.
///
///     var options = try PackOptions(recipe: .int4)
///     options.calibration = calibration
public struct PackOptions: Sendable {
    /// What the matrices become.
    public var recipe: Recipe
    /// What is known of the inputs of the matrices; it lets quantisers weigh errors and make up for them.
    public var calibration: Calibration?
    /// Whether an existing destination is replaced.
    public var overwrite: Bool
    /// Whether the checkpoint's chat template is left out, as it has to be when it cannot be used.
    public var omitsChatTemplate = false
    /// The storage that the file will be streamed from; nil keeps all weights usable in place.
    public var targetStorage: TargetStorage?
    /// Larger shapes to grow the models to, without changing what they compute.
    public var expansion: Expansion?
    /// The tokens that drafts come from.
    public var draftVocabulary = DraftVocabulary.recommended
    /// Threads that quantise; the calling thread only writes.
    public let threadCount: Int
    /// Asked between blocks of rows, on the calling thread; true ends packing with ``PackError/cancelled``.
    public var isCancelled: (@Sendable () -> Bool)?

    /// - Parameters:
    ///   - recipe: 8 bits with a scale for every 64 columns unless told.
    ///   - threadCount: 1 … 256; nil takes the processors that are online.
    /// - Throws: ``PackError/invalidOption(name:value:allowed:)``.
    public init(
        recipe: Recipe = .int8, overwrite: Bool = false, threadCount: Int? = nil
    ) throws(PackError) {
        let threads = threadCount ?? min(max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), 256)
        guard (1...256).contains(threads) else {
            throw .invalidOption(name: "threads", value: "\(threads)", allowed: "1...256")
        }
        self.recipe = recipe
        calibration = nil
        self.overwrite = overwrite
        self.threadCount = threads
        isCancelled = nil
    }

    /// Options that give every matrix the same format.
    public init(
        weights: WeightFormat, overwrite: Bool = false, threadCount: Int? = nil
    ) throws(PackError) {
        try self.init(recipe: Recipe(weights), overwrite: overwrite, threadCount: threadCount)
    }
}
