// SPDX-License-Identifier: Apache-2.0

/// Finds added tokens in a text: from the left, the longest at each place.
///
/// A trie over bytes. A text of n bytes takes O(n) where tokens are rare, and at most O(n · longest token).
struct AddedTokenMatcher: Sendable {
    /// A stretch of the text that is one token, or text without tokens when `token` is `nil`.
    struct Segment {
        var range: Range<Int>
        var token: AddedToken?
    }

    private struct Node: Sendable {
        var byte: UInt8
        var firstChild: Int32 = -1
        var sibling: Int32 = -1
        var token: Int32 = -1
    }

    private var tokens: [AddedToken] = []
    private var nodes: [Node] = [Node(byte: 0)]
    private var roots = [Int32](repeating: -1, count: 256)

    var isEmpty: Bool { tokens.isEmpty }

    /// Adds a token that is found as `pattern`. An empty pattern is never found.
    mutating func insert(_ token: AddedToken, pattern: [UInt8]) {
        guard let first = pattern.first else { return }
        if roots[Int(first)] < 0 {
            nodes.append(Node(byte: first))
            roots[Int(first)] = Int32(nodes.count - 1)
        }
        var node = roots[Int(first)]
        for byte in pattern.dropFirst() { node = child(of: node, byte) ?? addChild(to: node, byte) }
        if nodes[Int(node)].token < 0 {
            tokens.append(token)
            nodes[Int(node)].token = Int32(tokens.count - 1)
        }
    }

    /// The segments of a text, in order, without empty ones.
    ///
    /// - Parameter plain: stretches in which special tokens are text, as are those that only touch one; in order.
    func segments(_ text: Span<UInt8>, parseSpecial: Bool, plain: [Range<Int>] = []) -> [Segment] {
        var segments: [Segment] = []
        var textStart = 0
        var offset = 0
        while offset < text.count {
            let root = roots[Int(text[offset])]
            guard root >= 0, let (token, end) = longestMatch(text, from: offset, root: root) else {
                offset &+= 1
                continue
            }
            let matchStart = offset
            offset = end
            if token.isSpecial, !parseSpecial || Self.touches(matchStart..<end, plain) { continue }
            if token.isSingleWord && !standsAlone(text, matchStart..<end) { continue }
            var start = matchStart
            var stop = end
            if token.stripsLeft { start = max(startOfSpace(text, endingAt: start), textStart) }
            if token.stripsRight { stop = endOfSpace(text, from: stop) }
            if textStart < start { segments.append(Segment(range: textStart..<start, token: nil)) }
            segments.append(Segment(range: start..<stop, token: token))
            textStart = stop
        }
        if textStart < text.count { segments.append(Segment(range: textStart..<text.count, token: nil)) }
        return segments
    }

    /// Whether a range overlaps one of these, which are in order and apart from each other. O(log n).
    static func touches(_ range: Range<Int>, _ ranges: [Range<Int>]) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low &+ high) / 2
            if ranges[middle].upperBound <= range.lowerBound { low = middle &+ 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound < range.upperBound
    }

    private func longestMatch(
        _ text: Span<UInt8>, from start: Int, root: Int32
    ) -> (token: AddedToken, end: Int)? {
        var node = root
        var offset = start &+ 1
        var best: Int32 = -1
        var bestEnd = start
        while true {
            if nodes[Int(node)].token >= 0 {
                best = nodes[Int(node)].token
                bestEnd = offset
            }
            guard offset < text.count, let next = child(of: node, text[offset]) else { break }
            node = next
            offset &+= 1
        }
        return best < 0 ? nil : (tokens[Int(best)], bestEnd)
    }

    private func child(of node: Int32, _ byte: UInt8) -> Int32? {
        var child = nodes[Int(node)].firstChild
        while child >= 0 {
            if nodes[Int(child)].byte == byte { return child }
            child = nodes[Int(child)].sibling
        }
        return nil
    }

    private mutating func addChild(to node: Int32, _ byte: UInt8) -> Int32 {
        nodes.append(Node(byte: byte, sibling: nodes[Int(node)].firstChild))
        nodes[Int(node)].firstChild = Int32(nodes.count - 1)
        return Int32(nodes.count - 1)
    }

    private func standsAlone(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        if range.lowerBound > 0 {
            let last = ScalarReader.start(ofScalarEndingAt: range.lowerBound, text)
            if Self.isWordScalar(ScalarReader.scalar(text, at: last).value) { return false }
        }
        if range.upperBound < text.count {
            if Self.isWordScalar(ScalarReader.scalar(text, at: range.upperBound).value) { return false }
        }
        return true
    }

    private func startOfSpace(_ text: Span<UInt8>, endingAt end: Int) -> Int {
        var start = end
        while start > 0 {
            let last = ScalarReader.start(ofScalarEndingAt: start, text)
            guard isSpace(text, at: last) else { break }
            start = last
        }
        return start
    }

    private func endOfSpace(_ text: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count && isSpace(text, at: end) {
            end &+= ScalarReader.scalar(text, at: end).length
        }
        return end
    }

    private func isSpace(_ text: Span<UInt8>, at offset: Int) -> Bool {
        ScalarClass.of(ScalarReader.scalar(text, at: offset).value).contains(.space)
    }

    /// `\w`: letters, marks, decimal digits, connectors and joiners.
    private static func isWordScalar(_ value: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(value) else { return false }
        let properties = scalar.properties
        if properties.isAlphabetic || properties.isJoinControl { return true }
        return switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
        default: false
        }
    }
}
