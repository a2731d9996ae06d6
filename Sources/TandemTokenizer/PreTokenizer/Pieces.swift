// SPDX-License-Identifier: Apache-2.0

/// A text and the pieces it is cut into so far.
struct Pieces {
    private(set) var text: [UInt8]
    private(set) var ranges: [Range<Int>]
    /// Whether the text is spelt in the byte-level alphabet.
    private var isSpelt = false

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

    mutating func split(_ matcher: SplitMatcher, _ behavior: SplitBehavior, invert: Bool) {
        var result: [Range<Int>] = []
        result.reserveCapacity(ranges.count)
        var stretches: [SplitBehavior.Stretch] = []
        for range in ranges {
            stretches.removeAll(keepingCapacity: true)
            matcher.appendStretches(
                of: text.span.extracting(range), offset: range.lowerBound, to: &stretches)
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

    /// Writes every byte as the character that stands for it.
    mutating func spellBytes() {
        rebuild { piece, _, output in output.append(contentsOf: ByteAlphabet.spelt(piece)) }
        isSpelt = true
    }

    /// Undoes ``spellBytes()``.
    mutating func restoreBytes() {
        guard isSpelt else { return }
        // Steps in between may have put characters in that stand for no byte; they stay as they are.
        rebuild { piece, _, output in output.append(contentsOf: ByteAlphabet.bytes(of: piece) ?? Array(piece))
        }
        isSpelt = false
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
