// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// What a session takes, from the shapes of the models alone.
struct SessionMemory {
    let manifest: Manifest
    let contextSize: Int
    let maxDraft: Int
    let keyValueType: KeyValueType
    let threadCount: Int

    /// Bytes of the caches of one model, RoPE tables included.
    func cache(_ configuration: ModelConfiguration) -> Int {
        let stride = (configuration.headSize + 15) & ~15
        let layers = 2 * configuration.layerCount * configuration.keyValueHeadCount
        let keysAndValues = byteProduct(contextSize, stride, keyValueType.elementBytes, layers) ?? .max / 8
        let ropes = configuration.architecture.ropes
        let rotated = ropes.isEmpty ? configuration.headSize : ropes.reduce(0) { $0 + $1.rotarySize }
        return keysAndValues + contextSize * rotated * 4
    }

    /// Bytes of the activations of blocks of `rows` positions, the logits and attention scores included.
    func activations(rows: Int) throws(TandemError) -> Int {
        let rows = max(rows, maxDraft + 1)
        // Reserved and given back untouched: the one place that knows the sizes is the workspace itself.
        let workspace = try Workspace(
            configurations: configurations, maxRows: rows, logitRows: maxDraft + 1, contextSize: contextSize,
            threadCount: threadCount)
        let depths = Set(manifest.tandem?.layerMap ?? []).count
        return workspace.byteCount + depths * rows * manifest.primary.hiddenSize * 4
    }

    /// Bytes of the sampler's candidates and of the distributions of a block of drafts.
    var sampling: Int {
        let vocabulary = configurations.reduce(0) { max($0, $1.vocabularySize) }
        return vocabulary * 24 + (manifest.secondary == nil ? 0 : (maxDraft + 1) * vocabulary * 8)
    }

    /// Bytes of a whole session.
    func total(rows: Int) throws(TandemError) -> Int {
        cache(manifest.primary) + (manifest.secondary.map(cache) ?? 0) + (try activations(rows: rows))
            + sampling
    }

    private var configurations: [ModelConfiguration] {
        [manifest.primary] + (manifest.secondary.map { [$0] } ?? [])
    }
}
