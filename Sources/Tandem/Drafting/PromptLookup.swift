// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

/// Drafts without a model: what followed the last occurrence of the newest tokens (prompt lookup, n-gram drafting).
///
/// Summaries, edits, code and quotations repeat their context word for word; there this is right for many tokens at the
/// price of a table lookup.
///
/// Complexity: O(1) per appended token and per looked-up length. Memory: about 50 bytes a token.
package struct PromptLookup: Sendable {
    /// Lengths of the sequences that are looked up, the longest first.
    package static let lengths = [4, 3, 2]

    private var tokens: [TokenID] = []
    /// For every length, where a sequence ended last: hash of the sequence to index after it.
    private var ends: [[UInt64: Int32]] = lengths.map { _ in [:] }

    package init() {}

    /// A proposal and the length of the match that it rests on.
    package struct Proposal: Sendable, Equatable {
        package let tokens: [TokenID]
        package let matchLength: Int

        package init(tokens: [TokenID], matchLength: Int) {
            self.tokens = tokens
            self.matchLength = matchLength
        }
    }

    /// Makes the table that of `history`, whose newest token is last.
    ///
    /// What it shares with the history before is kept when nothing was taken back; else the table is made anew.
    package mutating func update(_ history: [TokenID]) {
        let isExtension =
            history.count >= tokens.count && history[..<tokens.count].elementsEqual(tokens)
        if !isExtension { self = PromptLookup() }
        for token in history[tokens.count...] { append(token) }
    }

    /// Adds a token. The sequences that end before it become findable.
    package mutating func append(_ token: TokenID) {
        for (slot, length) in Self.lengths.enumerated() where tokens.count >= length {
            ends[slot][key(length)] = Int32(tokens.count)
        }
        tokens.append(token)
    }

    /// The `limit` tokens that followed the last occurrence of the newest ones; nil without a match.
    ///
    /// Where these run into the end of the history they go on with themselves, so a repetition is continued.
    package func propose(limit: Int) -> Proposal? {
        guard limit > 0 else { return nil }
        for (slot, length) in Self.lengths.enumerated() where tokens.count >= length {
            guard let end = ends[slot][key(length)], matches(Int(end), length) else { continue }
            var proposed = Array(tokens[Int(end)...].prefix(limit))
            let period = proposed.count
            while proposed.count < limit { proposed.append(proposed[proposed.count - period]) }
            return Proposal(tokens: proposed, matchLength: length)
        }
        return nil
    }

    /// Whether the `length` tokens before `end` are the newest ones (hashes may collide).
    private func matches(_ end: Int, _ length: Int) -> Bool {
        tokens[(end - length)..<end].elementsEqual(tokens.suffix(length))
    }

    /// Hash of the newest `length` tokens.
    private func key(_ length: Int) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for token in tokens.suffix(length) {
            hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
        }
        return hash
    }
}
