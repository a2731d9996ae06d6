// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// What a session takes, from the shapes of the models alone.
struct SessionMemory {
    let manifest: Manifest
    let contextSize: Int
    /// Most drafts of a pass, of a tree all its nodes.
    let maxDraft: Int
    let keyValueType: KeyValueType
    let threadCount: Int

    /// Bytes of the caches of one model, RoPE tables included.
    func cache(_ configuration: ModelConfiguration) -> Int {
        let layout = KeyValueLayout(type: keyValueType, headSize: configuration.headSize)
        let planes = 2 * configuration.layerCount * configuration.keyValueHeadCount
        let keysAndValues =
            layout.byteCount(capacity: contextSize).flatMap { byteProduct($0, planes) } ?? .max / 8
        let ropes = configuration.architecture.ropes
        let rotated = ropes.isEmpty ? configuration.headSize : ropes.reduce(0) { $0 + $1.rotarySize }
        return keysAndValues + contextSize * rotated * 4
    }

    /// Rows that passes have room for: a block of a prompt, and for `count` sessions at a time a usual block of drafts of
    /// each and a longest one.
    func passRows(promptRows: Int, count: Int) -> Int {
        max(promptRows, (maxDraft + 1) + (count - 1) * min(maxDraft + 1, Self.usualBlock))
    }

    private static let usualBlock = 8

    /// Bytes of the activations of passes of `rows` positions, attention scores included: once for all sessions.
    func activations(rows: Int) throws(TandemError) -> Int {
        // Reserved and given back untouched: the one place that knows the sizes is the workspace itself.
        try Workspace(
            configurations: configurations, maxRows: rows, contextSize: contextSize, threadCount: threadCount
        ).byteCount
    }

    /// Bytes of what a session keeps of a pass: logits of a block of drafts, taps of a block of a prompt.
    func results(promptRows: Int) -> Int {
        let depths = Set(manifest.tandem?.layerMap ?? []).count
        let rows = max(promptRows, maxDraft + 1)
        return LogitBuffer.byteCount(configurations, rows: maxDraft + 1)
            + depths * rows * manifest.primary.hiddenSize * 4
    }

    /// Bytes of the sampler's candidates and of a distribution.
    var sampling: Int {
        let vocabulary = configurations.reduce(0) { max($0, $1.vocabularySize) }
        let router = manifest.drafting?.router?.inputCount(width: manifest.secondary?.hiddenSize ?? 0) ?? 0
        return vocabulary * 32 + (router == 0 ? 0 : (router + vocabulary) * 4)
    }

    /// Bytes of a whole session, but for the activations.
    func total(promptRows: Int) -> Int {
        cache(manifest.primary) + (manifest.secondary.map(cache) ?? 0) + results(promptRows: promptRows)
            + sampling
    }

    private var configurations: [ModelConfiguration] {
        [manifest.primary] + (manifest.secondary.map { [$0] } ?? [])
    }
}
