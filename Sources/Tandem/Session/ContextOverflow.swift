// SPDX-License-Identifier: Apache-2.0

/// What a generation does when prompt and answer fill the context.
///
/// A prompt that does not fit is an error either way: ``TandemError/promptTooLong(tokens:contextSize:)``.
public enum ContextOverflow: Sendable, Equatable {
    /// It ends, with ``FinishReason/length``.
    case stop
    /// It forgets the older half of what came after the first `keep` tokens, runs the rest again at its new positions, and
    /// goes on. The text is what a session gives that is asked to continue the shortened text.
    ///
    /// Most models need their beginning token, and a conversation its instructions: keep these. `keep` may be at most the
    /// context size - 3. Each shift takes the time of a prompt of half a context.
    case shift(keep: Int)

    /// Tokens of a text of `count` that remain: the first `keep` and the newer half of the others.
    static func remaining(_ count: Int, keep: Int) -> (first: Int, last: Int) {
        let others = max(0, count - keep)
        return (min(keep, count), others - others / 2)
    }
}
