// SPDX-License-Identifier: Apache-2.0

/// `LEAD?UPPER*LOWER+CONTRACTION?|LEAD?UPPER+LOWER*CONTRACTION?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|`
/// `\s*[\r\n]+|\s+(?!\S)|\s+`, where LEAD is `[^\r\n\p{L}\p{N}]`, UPPER `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`,
/// LOWER `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
enum O200KScanner {
    static func end(_ text: Span<UInt8>, from start: Int, ascii: [ScalarClass]) -> Int {
        let (first, length) = ScalarReader.scalarClass(text, at: start, ascii: ascii)
        let byte = text[start]
        if !first.contains(.letter) && !first.contains(.number) && byte != 0x0A && byte != 0x0D {
            // A mark may lead or belong to the word itself; leading is tried first, as the pattern does.
            if let end = word(text, from: start &+ length, ascii: ascii, mustEndLower: true) { return end }
            if first.contains(.mark),
                let end = word(text, from: start, ascii: ascii, mustEndLower: true)
            {
                return end
            }
            if let end = word(text, from: start &+ length, ascii: ascii, mustEndLower: false) { return end }
            if first.contains(.mark),
                let end = word(text, from: start, ascii: ascii, mustEndLower: false)
            {
                return end
            }
        } else if first.contains(.letter) {
            if let end = word(text, from: start, ascii: ascii, mustEndLower: true) { return end }
            if let end = word(text, from: start, ascii: ascii, mustEndLower: false) { return end }
        }
        if first.contains(.number) {
            return CL100KScanner.endOfNumbers(text, from: start &+ length, ascii: ascii, limit: 2)
        }
        if let end = CL100KScanner.symbols(text, from: start, ascii: ascii) {
            return CL100KScanner.endOfLineEnds(text, from: end, alsoSlash: true)
        }
        return CL100KScanner.spaces(text, from: start, ascii: ascii, wholeTrailingSpace: false)
    }

    /// `UPPER*LOWER+CONTRACTION?` when it must end lower, else `UPPER+LOWER*CONTRACTION?`.
    private static func word(
        _ text: Span<UInt8>, from start: Int, ascii: [ScalarClass], mustEndLower: Bool
    ) -> Int? {
        var offset = start
        // The last point in the upper run after which a scalar also counts as lower: backtracking stops
        // there.
        var lastNeutral: Int?
        while true {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            guard isUpper(next) else { break }
            if isLower(next) { lastNeutral = offset &+ length }
            offset &+= length
        }
        let upperEnd = offset
        while true {
            let (next, length) = ScalarReader.scalarClass(text, at: offset, ascii: ascii)
            guard isLower(next) else { break }
            offset &+= length
        }
        if mustEndLower {
            if offset == upperEnd {
                guard let lastNeutral else { return nil }
                offset = lastNeutral
            }
        } else if upperEnd == start {
            return nil
        }
        if offset < text.count && text[offset] == UInt8(ascii: "'") {
            offset &+= CL100KScanner.contraction(text, at: offset)
        }
        return offset
    }

    private static func isUpper(_ scalarClass: ScalarClass) -> Bool {
        scalarClass.contains(.mark) || (scalarClass.contains(.letter) && !scalarClass.contains(.lower))
    }

    private static func isLower(_ scalarClass: ScalarClass) -> Bool {
        scalarClass.contains(.mark) || (scalarClass.contains(.letter) && !scalarClass.contains(.upper))
    }
}
