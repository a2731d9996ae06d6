// SPDX-License-Identifier: Apache-2.0

/// Tokens that may come next, a bit for each id.
package struct TokenMask: Sendable, Equatable {
    /// Bit `id & 63` of word `id >> 6`.
    package private(set) var words: [UInt64]
    /// How many are allowed.
    package var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    package init(size: Int) { words = Array(repeating: 0, count: (size + 63) / 64) }

    package mutating func insert(_ id: Int32) {
        guard id >= 0, Int(id) >> 6 < words.count else { return }
        words[Int(id) >> 6] |= UInt64(1) << UInt64(id & 63)
    }

    package func allows(_ id: Int32) -> Bool {
        guard id >= 0, Int(id) >> 6 < words.count else { return false }
        return words[Int(id) >> 6] >> UInt64(id & 63) & 1 != 0
    }

    /// The least allowed id below `limit`.
    package func first(below limit: Int) -> Int32? {
        for (place, word) in words.enumerated() where word != 0 {
            let id = place * 64 + word.trailingZeroBitCount
            return id < limit ? Int32(id) : nil
        }
        return nil
    }
}
