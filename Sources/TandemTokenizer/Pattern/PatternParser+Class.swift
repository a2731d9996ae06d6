// SPDX-License-Identifier: Apache-2.0

extension PatternParser {
    /// The class whose opening bracket was just read.
    mutating func characterClass(_ options: Options, nesting: Int = 1) throws(PatternError) -> ScalarSet {
        guard nesting <= Self.maximumDepth else {
            throw PatternError("nests deeper than \(Self.maximumDepth) brackets")
        }
        let negated = take("^")
        var result: ScalarSet?
        var current: [ClosedRange<UInt32>] = []
        var isFirst = true
        while true {
            guard let scalar = next else { throw PatternError("has a '[' without its ']'") }
            if scalar == "]" && !(isFirst && scalars[(offset + 1)...].contains("]")) { break }
            isFirst = false
            if take("&&") {
                let set = ScalarSet(current)
                result = result?.intersection(set) ?? set
                current = []
                continue
            }
            if scalar == "[" {
                if let set = try posixBracket() {
                    current += set.ranges
                } else {
                    offset += 1
                    // Its own negation and folding are inside; the closing bracket was read with it.
                    current += try characterClass(options, nesting: nesting + 1).ranges
                }
                continue
            }
            try appendItem(to: &current)
        }
        offset += 1
        let last = ScalarSet(current)
        var set = result?.intersection(last) ?? last
        if options.ignoresCase { set = set.caseInsensitive }
        return negated ? set.inverted : set
    }

    /// `[:alpha:]` or `[:^alpha:]`; nil, and nothing read, when something else stands there.
    private mutating func posixBracket() throws(PatternError) -> ScalarSet? {
        let start = offset
        guard take("[:") else { return nil }
        let negated = take("^")
        var name = ""
        while let scalar = next, scalar.isASCII, scalar.properties.isAlphabetic {
            name.unicodeScalars.append(scalar)
            offset += 1
        }
        guard take(":]") else {
            offset = start
            return nil
        }
        guard let set = ScalarProperty.bracket(named: name) else {
            throw PatternError("uses the unknown bracket '[:\(name.prefix(40)):]'")
        }
        return negated ? set.inverted : set
    }

    /// A scalar, a range or a class with a backslash.
    private mutating func appendItem(to ranges: inout [ClosedRange<UInt32>]) throws(PatternError) {
        var low = try advance().value
        if low == 0x5C {
            if let set = try setEscape() {
                ranges += set.ranges
                return
            }
            low = try classEscape()
        }
        guard next == "-", let after = peek(1), after != "]", after != "[" else {
            ranges.append(low...low)
            return
        }
        let hyphen = offset
        offset += 1
        var high = try advance().value
        if high == 0x5C {
            if let next, "sSdDwWhHpP".unicodeScalars.contains(next) {
                // A class cannot end a range: the hyphen is text.
                offset = hyphen
                ranges.append(low...low)
                return
            }
            high = try classEscape()
        }
        guard low <= high else { throw PatternError("has a range that ends before it begins") }
        ranges.append(low...high)
    }

    private mutating func classEscape() throws(PatternError) -> UInt32 {
        if take("b") { return 0x08 }
        return try scalarEscape()
    }
}
