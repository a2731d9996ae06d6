// SPDX-License-Identifier: Apache-2.0

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
enum GPT2Scanner {
    static func end(_ text: Span<UInt8>, from start: Int, ascii: [ScalarClass]) -> Int {
        let byte = text[start]
        if byte == UInt8(ascii: "'") {
            let length = contraction(text, at: start)
            if length > 0 { return start &+ length }
        }
        var offset = byte == 0x20 ? start &+ 1 : start
        let (first, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
        if length == 0 || first.contains(.space) {
            return WhiteSpaceScanner.end(text, from: start, ascii: ascii)
        }
        let kind = first.intersection(.word)
        offset &+= length
        while true {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            if length == 0 || next.intersection(.spaceOrWord) != kind { return offset }
            offset &+= length
        }
    }

    /// The length of a lower-case contraction with its apostrophe, or 0.
    private static func contraction(_ text: Span<UInt8>, at offset: Int) -> Int {
        guard offset &+ 1 < text.count else { return 0 }
        let first = text[offset &+ 1]
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
            guard offset &+ 2 < text.count else { return 0 }
            return text[offset &+ 2] == (first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")) ? 3 : 0
        default: return 0
        }
    }
}

/// `\s+(?!\S)|\s+`: white space up to the last one before something else, which belongs to the next word.
enum WhiteSpaceScanner {
    static func end(_ text: Span<UInt8>, from start: Int, ascii: [ScalarClass]) -> Int {
        var offset = start
        var last = start
        while true {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            if length == 0 { return offset }
            if !next.contains(.space) { break }
            last = offset
            offset &+= length
        }
        return last > start ? last : offset
    }
}
