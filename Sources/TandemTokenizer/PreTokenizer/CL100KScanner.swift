// SPDX-License-Identifier: Apache-2.0

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|`
/// `\s+(?!\S)|\s+`, and its variants: another number of digits, or `\s++$` before the line ends.
enum CL100KScanner {
    static func end(
        _ text: Span<UInt8>, from start: Int, ascii: [ScalarClass], digits: Int, wholeTrailingSpace: Bool,
        foldsLongS: Bool
    ) -> Int {
        let byte = text[start]
        if byte == UInt8(ascii: "'") {
            let length = contraction(text, at: start, foldsLongS: foldsLongS)
            if length > 0 { return start &+ length }
        }
        let (first, length) = ScalarReader.scalarClass(text, at: start, ascii: ascii)
        if first.contains(.letter) {
            return endOfRun(.letter, text, from: start &+ length, ascii: ascii)
        }
        if first.contains(.number) {
            return endOfNumbers(text, from: start &+ length, ascii: ascii, limit: digits &- 1)
        }
        let isLineEnd = byte == 0x0A || byte == 0x0D
        let second = ScalarReader.scalarClass(text, at: start &+ length, ascii: ascii)
        if !isLineEnd && second.scalarClass.contains(.letter) {
            return endOfRun(.letter, text, from: start &+ length &+ second.length, ascii: ascii)
        }
        if let end = symbols(text, from: start, ascii: ascii) {
            return endOfLineEnds(text, from: end, alsoSlash: false)
        }
        return spaces(text, from: start, ascii: ascii, wholeTrailingSpace: wholeTrailingSpace)
    }

    /// The end of ` ?[^\s\p{L}\p{N}]+`, or `nil` where it does not match.
    static func symbols(_ text: Span<UInt8>, from start: Int, ascii: [ScalarClass]) -> Int? {
        let first = text[start] == 0x20 ? start &+ 1 : start
        var offset = first
        while true {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            if length == 0 || !next.isDisjoint(with: .spaceOrWord) { break }
            offset &+= length
        }
        return offset > first ? offset : nil
    }

    /// `[\r\n]*`, or `[\r\n/]*`.
    static func endOfLineEnds(_ text: Span<UInt8>, from start: Int, alsoSlash: Bool) -> Int {
        var offset = start
        while offset < text.count {
            let byte = text[offset]
            guard byte == 0x0A || byte == 0x0D || (alsoSlash && byte == UInt8(ascii: "/")) else { break }
            offset &+= 1
        }
        return offset
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: white space through its last line end, or else as in GPT-2.
    static func spaces(
        _ text: Span<UInt8>, from start: Int, ascii: [ScalarClass], wholeTrailingSpace: Bool
    ) -> Int {
        var offset = start
        var afterLineEnd = start
        while true {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            if length == 0 || !next.contains(.space) { break }
            let byte = text[offset]
            offset &+= length
            if byte == 0x0A || byte == 0x0D { afterLineEnd = offset }
        }
        if wholeTrailingSpace && offset == text.count { return offset }
        if afterLineEnd > start { return afterLineEnd }
        return WhiteSpaceScanner.end(text, from: start, ascii: ascii)
    }

    static func endOfNumbers(
        _ text: Span<UInt8>, from start: Int, ascii: [ScalarClass], limit: Int
    ) -> Int {
        var offset = start
        var remaining = limit
        while remaining > 0 {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            guard next.contains(.number) else { break }
            offset &+= length
            remaining &-= 1
        }
        return offset
    }

    static func endOfRun(
        _ kind: ScalarClass, _ text: Span<UInt8>, from start: Int, ascii: [ScalarClass]
    ) -> Int {
        var offset = start
        while true {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            guard !next.isDisjoint(with: kind) else { return offset }
            offset &+= length
        }
    }

    /// The length of a contraction in any case with its apostrophe, or 0. Case folding takes ſ for s.
    static func contraction(_ text: Span<UInt8>, at offset: Int, foldsLongS: Bool = true) -> Int {
        guard offset &+ 1 < text.count else { return 0 }
        let first = text[offset &+ 1] | 0x20
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
            guard offset &+ 2 < text.count else { return 0 }
            let second = text[offset &+ 2] | 0x20
            return second == (first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")) ? 3 : 0
        default:
            let isLongS =
                foldsLongS && offset &+ 2 < text.count && text[offset &+ 1] == 0xC5
                && text[offset &+ 2] == 0xBF
            return isLongS ? 3 : 0
        }
    }
}
