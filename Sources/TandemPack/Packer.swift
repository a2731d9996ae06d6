// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Packs checkpoints into `.tandem` files.
///
///     let packer = Packer()
///     let report = try packer.pack(
///         source: "checkpoint", destination: "model.tandem", options: PackOptions(weights: .int8(.columns64)))
///
/// A source is a tandem checkpoint directory (`Formats/tandem-checkpoint.md`) or a model in Hugging Face layout. Everything
/// about it is checked before the first byte is written. Weights are then read, quantised and written block by block
/// of rows: memory is bounded by some blocks, one tensor's scales and the tokenizer, whatever the size of the model.
///
/// The same source and options give the same bytes, whatever the number of threads. The destination appears complete or
/// not at all. Thread safety: a packer has no state; several may run at once with different destinations.
public struct Packer: Sendable {
    public init() {}

    /// Packs a checkpoint.
    ///
    /// - Parameters:
    ///   - source: the checkpoint's directory.
    ///   - secondary: a model in Hugging Face layout that becomes the draft model, without projections; nil takes the
    ///     source's own, if it has one.
    ///   - destination: the file to write.
    ///   - progress: called on the calling thread after every block of rows.
    /// - Throws: ``PackError``. No partial file is left.
    public func pack(
        source: String, secondary: String? = nil, destination: String, options: PackOptions,
        progress: ((PackProgress) -> Void)? = nil
    ) throws(PackError) -> PackReport {
        try Packer.checkDestination(destination, overwrite: options.overwrite)
        var source = try PackSource(path: source, secondary: secondary)
        if let expansion = options.expansion { source = try source.expanded(expansion) }
        if !options.omitsChatTemplate { try source.tokenizer.checkChatTemplates() }
        var job = try PackJob(source: source, options: options, progress: progress)
        return try job.run(destination: destination)
    }

    /// Packs a model with seeded weights, which is as large and as fast as a trained one: for benchmarks.
    ///
    /// - Parameters:
    ///   - seed: the same seed gives the same weights.
    /// - Throws: ``PackError``. No partial file is left.
    public func pack(
        synthetic shape: TargetShape, seed: UInt64 = 1, destination: String, options: PackOptions,
        progress: ((PackProgress) -> Void)? = nil
    ) throws(PackError) -> PackReport {
        try Packer.checkDestination(destination, overwrite: options.overwrite)
        var job = try PackJob(
            source: PackSource(synthetic: shape, seed: seed), options: options, progress: progress)
        return try job.run(destination: destination)
    }

    /// Checks that a file may be written there, as ``pack(source:secondary:destination:options:progress:)`` does first.
    package static func checkDestination(_ path: String, overwrite: Bool) throws(PackError) {
        switch try PathKind(path) {
        case .missing: break
        case .directory: throw .destinationIsDirectory(path: path)
        case .file:
            guard overwrite else { throw .destinationExists(path: path) }
        case .other: throw .notAFile(path: path)
        }
    }
}
