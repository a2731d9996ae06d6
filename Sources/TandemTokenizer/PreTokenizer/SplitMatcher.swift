// SPDX-License-Identifier: Apache-2.0

/// What a split step looks for.
enum SplitMatcher: Sendable {
    case words(WordPattern)
    case literal([UInt8])
    /// A scalar of one of these classes.
    case scalar(ScalarClass)
    /// A number, for the pre-tokeniser `Digits`: there the reference has Unicode 17.
    case digit
    /// Up to this many numbers in a row.
    case numbers(limit: Int)
    /// Punctuation: ASCII's, symbols included, and Unicode's.
    case punctuation
    /// This many scalars.
    case count(Int)
    /// Any regular expression.
    case pattern(SplitPattern)

    /// Appends matches and the gaps between them, which cover the text. `offset` is added to all ranges.
    func appendStretches(
        of text: Span<UInt8>, offset: Int, to stretches: inout [SplitBehavior.Stretch]
    ) {
        var gapStart = 0
        if case .pattern(let pattern) = self {
            pattern.forEachMatch(text) { Self.append($0, &gapStart, offset, to: &stretches) }
        } else {
            let ascii = ScalarClass.ascii
            var position = 0
            while position < text.count {
                let length = matchLength(text, at: position, ascii: ascii)
                if length == 0 {
                    position &+= ScalarReader.length(text[position])
                } else {
                    Self.append(position..<position &+ length, &gapStart, offset, to: &stretches)
                    position &+= length
                }
            }
        }
        if gapStart < text.count {
            stretches.append(.init(range: offset &+ gapStart..<offset &+ text.count, isMatch: false))
        }
    }

    @inline(__always)
    private static func append(
        _ match: Range<Int>, _ gapStart: inout Int, _ offset: Int,
        to stretches: inout [SplitBehavior.Stretch]
    ) {
        if gapStart < match.lowerBound {
            stretches.append(
                .init(range: offset &+ gapStart..<offset &+ match.lowerBound, isMatch: false))
        }
        stretches.append(
            .init(range: offset &+ match.lowerBound..<offset &+ match.upperBound, isMatch: true))
        gapStart = match.upperBound
    }

    /// The length of the match at `position`, which is inside the text, or 0.
    private func matchLength(_ text: Span<UInt8>, at position: Int, ascii: [ScalarClass]) -> Int {
        switch self {
        case .words(let pattern):
            return pattern.end(text, from: position, ascii: ascii) &- position
        case .literal(let literal):
            guard !literal.isEmpty, position &+ literal.count <= text.count else { return 0 }
            for index in literal.indices where text[position &+ index] != literal[index] { return 0 }
            return literal.count
        case .scalar(let classes):
            let (found, length) = ScalarReader.scalarClass(text, at: position, ascii: ascii)
            return found.isDisjoint(with: classes) ? 0 : length
        case .digit:
            let (found, length) = ScalarReader.scalarClass(text, at: position, ascii: ascii)
            if found.contains(.number) { return length }
            return length == 4 && Self.isNewerNumber(ScalarReader.scalar(text, at: position).value)
                ? length : 0
        case .numbers(let limit):
            let end = CL100KScanner.endOfNumbers(text, from: position, ascii: ascii, limit: limit)
            return end &- position
        case .punctuation:
            let (found, length) = ScalarReader.scalarClass(text, at: position, ascii: ascii)
            return PunctuationSet.contains(ScalarReader.scalar(text, at: position).value, found) ? length : 0
        case .count(let count):
            var end = position
            for _ in 0..<count where end < text.count { end &+= ScalarReader.length(text[end]) }
            return min(end, text.count) &- position
        case .pattern:
            return 0
        }
    }

    private static func isNewerNumber(_ value: UInt32) -> Bool {
        (0x11DE0...0x11DE9).contains(value) || (0x16FF4...0x16FF6).contains(value)
    }
}
