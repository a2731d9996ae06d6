// SPDX-License-Identifier: Apache-2.0

/// The special tokens that stand around a text, such as the beginning-of-sequence token.
struct PostProcessor: Sendable {
    var prefix: [TokenID] = []
    var suffix: [TokenID] = []

    /// What `outer`, applied after this one, makes of both.
    func wrapped(in outer: PostProcessor) -> PostProcessor {
        PostProcessor(prefix: outer.prefix + prefix, suffix: suffix + outer.suffix)
    }
}
