// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat
internal import TandemTokenizer

/// One session's part in a pass of a model.
///
/// Whoever makes a request leaves what it refers to alone until the pass is over.
struct PassRequest {
    let role: ModelRole
    /// Rows of the pass; none where only `due` is to be done.
    let tokens: ArraySlice<TokenID>
    /// Position of the first token; those before it are in the cache.
    let position: Int
    /// Keys and values of the rows go here.
    let cache: KeyValueCache
    /// How the rows continue each other; `nil` = each the one before.
    var tree: TreeRows?
    /// Takes the residual stream of the rows, of the primary.
    var taps: TapBuffer?
    /// What the primary has left for the secondary: it goes into the secondary's cache before the rows are run.
    var due: DueTaps?
    /// Rows whose logits are wanted.
    let logitRows: Range<Int>
    /// Row `logitRows.lowerBound` goes to row 0.
    let logits: LogitBuffer
    /// Takes the normed state after the last layer, of all rows [tokens, hidden].
    var states: AlignedBuffer?
    var cancellation: CancellationToken?
    /// Whether the tokens are given ones, of which few at a time may join a pass that others wait for.
    var isPrompt = false
    /// Whether the logits are of drafts, which may come from a part of the vocabulary: the others are then −∞.
    var isDraft = false
    /// Wants to know how likely the draft of the first wanted row is to be kept, where there is a router.
    var question: RouterQuestion?
    /// Told of what every matrix multiplies; such a request has its passes to itself.
    var recorder: InputRecorder?

    /// Rows of the workspace that the request needs.
    var rows: Int { max(tokens.count, due?.rows ?? 0) }

    /// Counts the memory that the pass is going to write as used.
    func useMemory() {
        let end = position + max(tokens.count, (tree?.homes.max() ?? 0) + 1)
        cache.use(upTo: max(end, due.map { $0.position + $0.rows } ?? 0))
        taps?.use(rows: tokens.count)
    }
}

/// Taps that the secondary has not been given yet.
struct DueTaps {
    let taps: TapBuffer
    /// The first `rows` rows of the taps, of the positions from `position` on.
    let rows: Int
    let position: Int
}
