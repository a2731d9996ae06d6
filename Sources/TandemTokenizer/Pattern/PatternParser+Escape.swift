// SPDX-License-Identifier: Apache-2.0

extension PatternParser {
    /// What stands behind a backslash outside brackets.
    mutating func escape(_ options: Options) throws(PatternError) -> PatternNode {
        if let set = try setEscape() { return .set(options.ignoresCase ? set.caseInsensitive : set) }
        switch next {
        case "A": return anchor(.textStart)
        case "z": return anchor(.textEnd)
        case "Z": return anchor(.textEndOrLastLineEnd)
        case "b": return anchor(.wordBoundary)
        case "B": return anchor(.noWordBoundary)
        case "R":
            offset += 1
            let lineEnds = ScalarSet([0x0A...0x0D, 0x85...0x85, 0x2028...0x2029])
            return .atomic(
                .alternatives([.sequence([.set(ScalarSet(0x0D)), .set(ScalarSet(0x0A))]), .set(lineEnds)]))
        case let scalar? where ("1"..."9").contains(scalar):
            throw PatternError("refers back to a group, \\\(scalar)")
        case let scalar? where "GKXNOkgyY".unicodeScalars.contains(scalar):
            throw PatternError("uses \\\(scalar)")
        default:
            return .set(literal(try scalarEscape(), options))
        }
    }

    private mutating func anchor(_ anchor: PatternNode.Anchor) -> PatternNode {
        offset += 1
        return .anchor(anchor)
    }

    /// `\s`, `\p{…}` and other classes; nil when something else stands there.
    mutating func setEscape() throws(PatternError) -> ScalarSet? {
        let found: ScalarSet
        switch next {
        case "s": found = ScalarProperty.space
        case "S": found = ScalarProperty.space.inverted
        case "d": found = ScalarProperty.digit
        case "D": found = ScalarProperty.digit.inverted
        case "w": found = ScalarProperty.word
        case "W": found = ScalarProperty.word.inverted
        case "h": found = ScalarProperty.hexDigit
        case "H": found = ScalarProperty.hexDigit.inverted
        case "p" where peek(1) == "{", "P" where peek(1) == "{":
            return try property()
        case "p", "P": throw PatternError("has a property without braces")
        default: return nil
        }
        offset += 1
        return found
    }

    private mutating func property() throws(PatternError) -> ScalarSet {
        var negated = try advance() == "P"
        offset += 1
        if take("^") { negated.toggle() }
        var name = ""
        while true {
            let scalar = try advance()
            if scalar == "}" { break }
            name.unicodeScalars.append(scalar)
        }
        guard let set = ScalarProperty.set(named: name) else {
            throw PatternError("uses the unknown property '\(name.prefix(40))'")
        }
        return negated ? set.inverted : set
    }

    /// An escape that stands for one scalar.
    mutating func scalarEscape() throws(PatternError) -> UInt32 {
        let scalar = try advance()
        switch scalar {
        case "t": return 0x09
        case "n": return 0x0A
        case "v": return 0x0B
        case "f": return 0x0C
        case "r": return 0x0D
        case "a": return 0x07
        case "e": return 0x1B
        case "x": return try take("{") ? hexDigits(1...8, closedBy: "}") : hexDigits(0...2, closedBy: nil)
        case "u": return try hexDigits(4...4, closedBy: nil)
        case "0"..."7":
            var value = scalar.value - 0x30
            for _ in 0..<2 {
                guard let digit = next, ("0"..."7").contains(digit) else { break }
                value = value * 8 + digit.value - 0x30
                offset += 1
            }
            return value
        case "c", "C", "M": throw PatternError("uses \\\(scalar)")
        default: return scalar.value
        }
    }

    private mutating func hexDigits(
        _ count: ClosedRange<Int>, closedBy end: Unicode.Scalar?
    ) throws(PatternError) -> UInt32 {
        var value: UInt32 = 0
        var found = 0
        while found < count.upperBound, let scalar = next, let digit = Self.hexDigit(scalar) {
            value = value &<< 4 | digit
            found += 1
            offset += 1
        }
        guard found >= count.lowerBound, Unicode.Scalar(value) != nil else {
            throw PatternError("has an escape that is no scalar")
        }
        if let end, try advance() != end { throw PatternError("has an escape that is no scalar") }
        return value
    }

    private static func hexDigit(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "0"..."9": scalar.value - 0x30
        case "a"..."f": scalar.value - 0x61 + 10
        case "A"..."F": scalar.value - 0x41 + 10
        default: nil
        }
    }
}
