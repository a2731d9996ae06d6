// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// The primary's weights, all of one place: the mapped file, or what a plan keeps in memory and streams. They may change
/// place while the model runs; those of the secondary stay where they were loaded.
///
/// Thread safety: immutable. Whoever holds it keeps the bytes alive.
struct PrimaryWeights: Sendable {
    let model: TransformerWeights
    /// Streams what is not in memory; `nil` when nothing is streamed.
    let stream: WeightStream?
    /// The file whose mapping the weights are in; `nil` when they were read.
    let mapped: TandemFile?

    /// - Parameter residency: `nil` = the weights are in the mapping.
    init(file: TandemFile, residency: ModelResidency?) throws(TandemError) {
        var loader = WeightLoader(file: file, residency: residency)
        model = try TransformerWeights(
            role: .primary, configuration: file.manifest.primary, loader: &loader)
        stream = residency?.stream
        mapped = residency == nil ? file : nil
    }
}

/// What of a model's weights is the same wherever they are.
protocol ModelOutlining {
    var configuration: ModelConfiguration { get }
    /// The ways of rotating that layers refer to by index.
    var ropes: [RopeFrequencies] { get }
}

extension TransformerWeights: ModelOutlining {}

/// A model without its weights.
struct ModelOutline: ModelOutlining, Sendable {
    let configuration: ModelConfiguration
    let ropes: [RopeFrequencies]

    init(_ weights: TransformerWeights) {
        configuration = weights.configuration
        ropes = weights.ropes
    }
}
