// SPDX-License-Identifier: Apache-2.0

/// Tokens that may come next, a bit for each id.
package struct TokenMask: Sendable, Equatable {
    /// Bit `id & 63` of word `id >> 6`.
    package fileprivate(set) var words: [UInt64]
    /// How many are allowed.
    package fileprivate(set) var count = 0

    package init(size: Int) { words = Array(repeating: 0, count: (size + 63) / 64) }

    package mutating func insert(_ id: Int32) {
        let place = Int(id) >> 6
        let bit = UInt64(1) << UInt64(id & 63)
        guard id >= 0, place < words.count, words[place] & bit == 0 else { return }
        words[place] |= bit
        count += 1
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
