// SPDX-License-Identifier: Apache-2.0

/// Searching and cutting, by the rules of Python's `str`.
extension TemplateText {
    /// Whether `pattern` stands at `index`.
    func matches(_ pattern: [UInt32], at index: Int) -> Bool {
        guard index >= 0, index + pattern.count <= units.count else { return false }
        for offset in pattern.indices
        where (units[index &+ offset] ^ pattern[offset]) & Self.valueMask != 0 {
            return false
        }
        return true
    }

    /// The first place of `pattern` at or after `start`, before `end`.
    func find(_ pattern: [UInt32], from start: Int = 0, to end: Int? = nil) -> Int? {
        let last = (end ?? units.count) - pattern.count
        guard start <= last else { return nil }
        for index in start...last where matches(pattern, at: index) { return index }
        return nil
    }

    /// The last place of `pattern` between `start` and `end`.
    func findLast(_ pattern: [UInt32], from start: Int = 0, to end: Int? = nil) -> Int? {
        let last = (end ?? units.count) - pattern.count
        guard start <= last else { return nil }
        for index in stride(from: last, through: start, by: -1) where matches(pattern, at: index) {
            return index
        }
        return nil
    }

    func contains(_ pattern: [UInt32]) -> Bool { find(pattern) != nil }

    func hasPrefix(_ pattern: [UInt32]) -> Bool { matches(pattern, at: 0) }

    func hasSuffix(_ pattern: [UInt32]) -> Bool { matches(pattern, at: units.count - pattern.count) }

    /// How often `pattern` stands in the text without overlaps.
    func occurrences(of pattern: [UInt32]) -> Int {
        if pattern.isEmpty { return units.count + 1 }
        var count = 0
        var start = 0
        while let place = find(pattern, from: start) {
            count += 1
            start = place + pattern.count
        }
        return count
    }

    /// Replaces at most `limit` occurrences; all when it is negative.
    func replacing(_ pattern: [UInt32], with replacement: [UInt32], limit: Int) -> [UInt32] {
        var result: [UInt32] = []
        var remaining = limit < 0 ? Int.max : limit
        if pattern.isEmpty {
            for unit in units {
                if remaining > 0 {
                    result += replacement
                    remaining -= 1
                }
                result.append(unit)
            }
            return remaining > 0 ? result + replacement : result
        }
        var start = 0
        while remaining > 0, let place = find(pattern, from: start) {
            result += units[start..<place]
            result += replacement
            start = place + pattern.count
            remaining -= 1
        }
        return result + units[start...]
    }

    /// Which ends to strip.
    enum Ends {
        case left, right, both
    }

    /// Without the code points of `set` at its ends; without white space when there is no set.
    func stripped(_ ends: Ends, of set: [UInt32]? = nil) -> [UInt32] {
        let values = set.map { Set($0.map { $0 & Self.valueMask }) }
        func goes(_ unit: UInt32) -> Bool {
            let value = unit & Self.valueMask
            return values?.contains(value) ?? Self.isSpace(value)
        }
        var start = 0
        var end = units.count
        if ends != .right { while start < end, goes(units[start]) { start += 1 } }
        if ends != .left { while end > start, goes(units[end - 1]) { end -= 1 } }
        return Array(units[start..<end])
    }

    /// The pieces between separators, at most `limit` cuts from the left; all when it is negative.
    func split(by separator: [UInt32], limit: Int) -> [[UInt32]] {
        var pieces: [[UInt32]] = []
        var start = 0
        while limit < 0 || pieces.count < limit, let place = find(separator, from: start) {
            pieces.append(Array(units[start..<place]))
            start = place + separator.count
        }
        pieces.append(Array(units[start...]))
        return pieces
    }

    /// The pieces between separators, at most `limit` cuts from the right.
    func splitFromRight(by separator: [UInt32], limit: Int) -> [[UInt32]] {
        var pieces: [[UInt32]] = []
        var end = units.count
        while limit < 0 || pieces.count < limit, let place = findLast(separator, to: end) {
            pieces.append(Array(units[place + separator.count..<end]))
            end = place
        }
        pieces.append(Array(units[..<end]))
        return pieces.reversed()
    }

    /// The words between white space, at most `limit` cuts from the left.
    func words(limit: Int) -> [[UInt32]] {
        var pieces: [[UInt32]] = []
        var index = 0
        while true {
            while index < count, Self.isSpace(units[index] & Self.valueMask) { index += 1 }
            guard index < count else { return pieces }
            if limit >= 0, pieces.count == limit {
                pieces.append(Array(units[index...]))
                return pieces
            }
            let start = index
            while index < count, !Self.isSpace(units[index] & Self.valueMask) { index += 1 }
            pieces.append(Array(units[start..<index]))
        }
    }

    /// The words between white space, at most `limit` cuts from the right.
    func wordsFromRight(limit: Int) -> [[UInt32]] {
        let reversed = with(units.reversed()).words(limit: limit)
        return reversed.map { $0.reversed() }.reversed()
    }

    /// The lines, cut at every line boundary that Unicode and Python know.
    func lines(keepingEnds: Bool) -> [[UInt32]] {
        var lines: [[UInt32]] = []
        var start = 0
        var index = 0
        while index < count {
            let value = units[index] & Self.valueMask
            guard Self.isLineBreak(value) else {
                index += 1
                continue
            }
            let end = index
            index += 1
            if value == 0x0D, index < count, units[index] & Self.valueMask == 0x0A { index += 1 }
            lines.append(Array(units[start..<(keepingEnds ? index : end)]))
            start = index
        }
        if start < count { lines.append(Array(units[start...])) }
        return lines
    }

    private static func isLineBreak(_ value: UInt32) -> Bool {
        switch value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// What Python's `str.isspace` and `\s` take for white space.
    static func isSpace(_ value: UInt32) -> Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F,
            0x3000:
            true
        default: false
        }
    }
}
