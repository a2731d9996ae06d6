// SPDX-License-Identifier: Apache-2.0

/// Whose turn comes first where generations of one model compete.
public enum GenerationPriority: String, Sendable, CaseIterable {
    /// Somebody waits for the text: admitted first, and in every pass.
    case interactive
    /// Nobody waits: admitted after all interactive ones, and left out of most passes while one of those runs.
    case background
}
