// SPDX-License-Identifier: Apache-2.0

/// What a matcher may hold, within what every matcher may.
struct MatcherLimits {
    /// Entries of the stacks.
    let entries: Int
    /// Entries and transitions beyond which it forgets what it can make again.
    let kept: Int
    /// Bytes of masks.
    let maskBytes: Int

    /// - Parameter bytes: of the matcher, more or less; `nil` = what any matcher may have.
    init(bytes: Int?) {
        guard let bytes else {
            entries = GrammarLimits.entries
            kept = GrammarLimits.kept
            maskBytes = GrammarLimits.maskBytes
            return
        }
        // Lists have room to grow, so they take up to twice what is in them.
        entries = min(GrammarLimits.entries, max(4096, bytes / 64))
        kept = min(GrammarLimits.kept, max(2048, bytes / 128))
        maskBytes = min(GrammarLimits.maskBytes, bytes / 4)
    }
}

/// What a grammar may cost.
enum GrammarLimits {
    /// Bytes of a grammar's text.
    static let textBytes = 4 << 20
    /// Elements of all rules together.
    static let elements = 1 << 20
    /// Groups within groups, schemas within schemas.
    static let nesting = 128
    /// The largest count of a repetition.
    static let repetitions = 1_000_000
    /// Rules that wait for the end of others while a text is matched.
    static let depth: Int32 = 512
    /// Steps of matching for one token or one mask: some tenths of a second.
    static let work = 4_000_000
    /// Entries of the stacks that a matcher holds; each takes 16 bytes.
    static let entries = 2 << 20
    /// Entries and transitions beyond which a matcher forgets what it can make again.
    static let kept = 1 << 20
    /// Bytes of masks that a matcher keeps.
    static let maskBytes = 8 << 20
    /// Schemas that `anyOf` and `oneOf` within one schema combine to.
    static let combinations = 1024
    /// Characters of a key that further properties must not have.
    static let keyLength = 256
    /// Properties of one schema.
    static let properties = 4096
}
