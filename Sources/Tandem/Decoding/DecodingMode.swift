// SPDX-License-Identifier: Apache-2.0

/// How tokens are produced.
public enum DecodingMode: String, Sendable, CaseIterable {
    /// Speculative decoding: the secondary drafts, the primary verifies every token. The text is the primary's own.
    case speed
    /// Standalone tandem: the secondary's tokens are kept, the primary only refreshes what the secondary attends to.
    case tandem
    /// The primary alone, token by token.
    case primary
    /// The secondary alone, token by token.
    case secondary
}
