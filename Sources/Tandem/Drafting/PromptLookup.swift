// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

/// Drafts without a model: what followed the last occurrence of the newest tokens (prompt lookup, n-gram drafting).
///
/// Summaries, edits, code and quotations repeat their context word for word; there this is right for many tokens at the
/// price of a table lookup.
///
/// Complexity: O(1) per appended token, per looked-up length and per occurrence. Memory: about 60 bytes a token.
package struct PromptLookup: Sendable {
    /// Lengths of the sequences that are looked up, the longest first.
    package static let lengths = [4, 3, 2]

    private var tokens: [TokenID] = []
    /// For every length, where a sequence ended last: hash of the sequence to index after it.
    private var ends: [[UInt64: Int32]] = lengths.map { _ in [:] }
    /// For every length and index, where the sequence that ends before the index ended the time before; −1 = never.
    private var earlier: [[Int32]] = lengths.map { _ in [] }

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
        for (slot, length) in Self.lengths.enumerated() {
            let before =
                tokens.count >= length
                ? ends[slot].updateValue(Int32(tokens.count), forKey: key(length)) : nil
            earlier[slot].append(before ?? -1)
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
            return Proposal(tokens: continuation(of: Int(end), limit: limit), matchLength: length)
        }
        return nil
    }

    /// The `limit` tokens that followed each of the last `count` occurrences of the newest tokens and `path` after them: those
    /// of the longest sequences first, of those of one length the newest.
    package func proposals(after path: [TokenID] = [], limit: Int, count: Int) -> [Proposal] {
        let longest = Self.lengths[0]
        let tail = Array((tokens.suffix(longest) + path.suffix(longest)).suffix(longest))
        var found: [Proposal] = []
        var known: Set<Int> = []
        for (slot, length) in Self.lengths.enumerated() where limit > 0 && tail.count >= length {
            let newest = tail.suffix(length)
            var end = ends[slot][Self.key(newest)].map(Int.init) ?? -1
            while end >= 0, found.count < count {
                if tokens[(end - length)..<end].elementsEqual(newest), known.insert(end).inserted {
                    found.append(
                        Proposal(tokens: continuation(of: end, limit: limit), matchLength: length))
                }
                end = Int(earlier[slot][end])
            }
        }
        return found
    }

    /// What came at `end`; where the history ends, it goes on with itself.
    private func continuation(of end: Int, limit: Int) -> [TokenID] {
        var tokens = Array(tokens[end...].prefix(limit))
        let period = tokens.count
        while tokens.count < limit { tokens.append(tokens[tokens.count - period]) }
        return tokens
    }

    /// Whether the `length` tokens before `end` are the newest ones (hashes may collide).
    private func matches(_ end: Int, _ length: Int) -> Bool {
        tokens[(end - length)..<end].elementsEqual(tokens.suffix(length))
    }

    /// Hash of the newest `length` tokens.
    private func key(_ length: Int) -> UInt64 { Self.key(tokens.suffix(length)) }

    private static func key(_ newest: ArraySlice<TokenID>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for token in newest {
            hash = (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
        }
        return hash
    }
}
