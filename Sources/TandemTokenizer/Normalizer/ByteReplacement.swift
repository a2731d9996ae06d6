// SPDX-License-Identifier: Apache-2.0

/// Replaces parts of a text.
enum ByteReplacement {
    /// Every occurrence of `pattern`, which is not empty, from the left.
    static func replacing(_ pattern: [UInt8], with content: [UInt8], in text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count &+ text.count / 4)
        if pattern.count == 1 {
            for byte in text {
                if byte == pattern[0] { result.append(contentsOf: content) } else { result.append(byte) }
            }
            return result
        }
        var offset = 0
        while offset < text.count {
            if text[offset] == pattern[0] && text[offset...].starts(with: pattern) {
                result.append(contentsOf: content)
                offset &+= pattern.count
            } else {
                result.append(text[offset])
                offset &+= 1
            }
        }
        return result
    }

    /// Every match of `pattern`.
    static func replacing(_ pattern: SplitPattern, with content: [UInt8], in text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var end = 0
        pattern.forEachMatch(text.span) { match in
            result.append(contentsOf: text[end..<match.lowerBound])
            result.append(contentsOf: content)
            end = match.upperBound
        }
        result.append(contentsOf: text[end...])
        return result
    }
}
