// SPDX-License-Identifier: Apache-2.0

/// A text and the pieces it is cut into so far.
struct Pieces {
    private(set) var text: [UInt8]
    private(set) var ranges: [Range<Int>]

    init(_ text: Span<UInt8>) {
        self.text = []
        self.text.reserveCapacity(text.count)
        for index in 0..<text.count { self.text.append(text[index]) }
        ranges = text.isEmpty ? [] : [0..<text.count]
    }

    /// Puts `prefix` before every piece that does not start with `byte`.
    mutating func prepend(_ prefix: [UInt8], unlessFirst byte: UInt8) {
        rebuild { piece, _, output in
            if piece.first != byte { output.append(contentsOf: prefix) }
            output.append(contentsOf: piece)
        }
    }

    mutating func split(_ matcher: PreTokenizer.Matcher, _ behavior: SplitBehavior, invert: Bool) {
        var result: [Range<Int>] = []
        for range in ranges {
            var stretches = matcher.stretches(text.span.extracting(range), offset: range.lowerBound)
            if invert {
                for index in stretches.indices { stretches[index].isMatch.toggle() }
            }
            behavior.apply(stretches, to: &result)
        }
        ranges = result
    }

    mutating func applyMetaspace(
        _ replacement: [UInt8], scheme: PreTokenizer.PrependScheme, split: Bool, startsInput: Bool
    ) {
        rebuild { piece, isFirst, output in
            let start = output.count
            for byte in piece {
                if byte == 0x20 { output.append(contentsOf: replacement) } else { output.append(byte) }
            }
            let prepends = scheme == .always || (scheme == .first && isFirst && startsInput)
            if prepends && !output[start...].starts(with: replacement) {
                output.insert(contentsOf: replacement, at: start)
            }
        }
        if split { self.split(.literal(replacement), .mergedWithNext, invert: false) }
    }

    /// Writes every piece anew, one behind the other.
    private mutating func rebuild(
        _ write: (_ piece: ArraySlice<UInt8>, _ isFirst: Bool, _ output: inout [UInt8]) -> Void
    ) {
        var output: [UInt8] = []
        output.reserveCapacity(text.count &+ ranges.count)
        var result: [Range<Int>] = []
        for range in ranges {
            let start = output.count
            write(text[range], range.lowerBound == 0, &output)
            result.append(start..<output.count)
        }
        text = output
        ranges = result
    }
}

extension PreTokenizer.Matcher {
    /// Matches and the gaps between them, which cover the text. `offset` is added to all ranges.
    func stretches(_ text: Span<UInt8>, offset: Int) -> [SplitBehavior.Stretch] {
        let ascii = ScalarClass.ascii
        var stretches: [SplitBehavior.Stretch] = []
        var gapStart = 0
        var position = 0
        while position < text.count {
            let length = matchLength(text, at: position, ascii: ascii)
            if length == 0 {
                position &+= ScalarReader.scalarClass(text, at: position, ascii: ascii).length
                continue
            }
            if gapStart < position {
                stretches.append(.init(range: offset &+ gapStart..<offset &+ position, isMatch: false))
            }
            stretches.append(.init(range: offset &+ position..<offset &+ position &+ length, isMatch: true))
            position &+= length
            gapStart = position
        }
        if gapStart < text.count {
            stretches.append(.init(range: offset &+ gapStart..<offset &+ text.count, isMatch: false))
        }
        return stretches
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
        case .numbers(let limit):
            let end = CL100KScanner.endOfNumbers(text, from: position, ascii: ascii, limit: limit)
            return end &- position
        case .punctuation:
            let (found, length) = ScalarReader.scalarClass(text, at: position, ascii: ascii)
            let isSymbol = text[position] > 0x20 && text[position] < 0x7F && found.isDisjoint(with: .word)
            return isSymbol || found.contains(.punctuation) ? length : 0
        }
    }
}
