// SPDX-License-Identifier: Apache-2.0

/// Reads the regular expressions of `pattern`: the part of ECMA-262 that describes regular languages.
struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private let pointer: String
    private var position = 0
    private var depth = 0

    init(_ text: String, pointer: String) {
        scalars = Array(text.unicodeScalars)
        self.pointer = pointer
    }

    /// - Returns: a choice of branches.
    mutating func parse() throws(GrammarError) -> Pattern {
        guard scalars.count <= GrammarLimits.elements / 16 else {
            throw .tooLarge(what: "characters of a pattern", limit: GrammarLimits.elements / 16)
        }
        let pattern = try choice()
        guard position == scalars.count else { throw invalid("')' closes no group") }
        return pattern
    }

    private func invalid(_ problem: String) -> GrammarError {
        .invalidSchema(pointer: pointer, problem: "pattern, character \(position + 1): \(problem)")
    }

    private func unsupported(_ what: String) -> GrammarError {
        .unsupportedSchema(
            pointer: pointer, problem: "pattern, character \(position + 1): \(what) cannot be enforced")
    }

    private var peek: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ text: String) -> Bool {
        guard scalars[position...].starts(with: text.unicodeScalars) else { return false }
        position += text.unicodeScalars.count
        return true
    }

    private mutating func choice() throws(GrammarError) -> Pattern {
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return .choice(branches)
    }

    private mutating func sequence() throws(GrammarError) -> Pattern {
        var parts: [Pattern] = []
        var hasEnd = false
        while let scalar = peek, scalar != "|", scalar != ")" {
            if take("^") {
                guard parts.isEmpty, depth == 0 else { throw unsupported("'^' within a pattern") }
                parts.append(.start)
                continue
            }
            if hasEnd { throw unsupported("'$' within a pattern") }
            if take("$") {
                guard depth == 0 else { throw unsupported("'$' within a group") }
                parts.append(.end)
                hasEnd = true
                continue
            }
            parts.append(try quantified(try atom()))
        }
        return .sequence(parts)
    }

    private mutating func atom() throws(GrammarError) -> Pattern {
        guard let scalar = peek else { throw invalid("a character is expected") }
        switch scalar {
        case "(":
            return try group()
        case "[":
            position += 1
            return .set(try characterClass())
        case ".":
            position += 1
            return .set(ScalarSet([0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029]).inverted)
        case "\\":
            position += 1
            return .set(try escape(isInClass: false))
        case "*", "+", "?", "{":
            throw invalid("nothing stands before '\(scalar)' that could be repeated")
        default:
            position += 1
            return .set(ScalarSet([scalar.value...scalar.value]))
        }
    }

    private mutating func group() throws(GrammarError) -> Pattern {
        position += 1
        if take("?") {
            if take("<"), let next = peek, next != "=", next != "!" {
                while let scalar = peek, scalar != ">" {
                    position += scalar == ")" ? 0 : 1; if scalar == ")" { break }
                }
                guard take(">") else { throw invalid("the group's name is not closed") }
            } else {
                guard take(":") else { throw unsupported("looking ahead or behind") }
            }
        }
        depth += 1
        guard depth <= GrammarLimits.nesting else {
            throw .tooLarge(what: "groups within each other", limit: GrammarLimits.nesting)
        }
        let inside = try choice()
        guard take(")") else { throw invalid("a group is not closed") }
        depth -= 1
        return inside
    }

    private mutating func quantified(_ atom: Pattern) throws(GrammarError) -> Pattern {
        var least = 1
        var most: Int? = 1
        if take("*") {
            (least, most) = (0, nil)
        } else if take("+") {
            (least, most) = (1, nil)
        } else if take("?") {
            (least, most) = (0, 1)
        } else if take("{") {
            guard let first = try count() else { throw invalid("a count is expected") }
            least = first
            most = first
            if take(",") { most = try count() }
            guard take("}") else { throw invalid("'{n}', '{n,}' or '{n,m}' is expected") }
            if let most, most < least { throw invalid("the most is less than the least") }
        } else {
            return atom
        }
        // Lazy or not, the same texts match.
        _ = take("?")
        return .repeated(atom, least: least, most: most)
    }

    private mutating func count() throws(GrammarError) -> Int? {
        var value: Int?
        while let scalar = peek, ("0"..."9").contains(scalar) {
            value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
            guard value ?? 0 <= GrammarLimits.repetitions else {
                throw invalid("a count must be at most \(GrammarLimits.repetitions)")
            }
            position += 1
        }
        return value
    }
}

// MARK: - Classes and escapes

extension PatternParser {
    private static let word = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    /// White space of ECMA-262.
    private static let space = ScalarSet([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
        0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])

    private mutating func characterClass() throws(GrammarError) -> ScalarSet {
        let isInverted = take("^")
        var set = ScalarSet()
        while let scalar = peek {
            if take("]") { return isInverted ? set.inverted : set }
            let first = try classPart(scalar)
            guard peek == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
                set = set.union(first)
                continue
            }
            position += 1
            let last = try classPart(scalars[position])
            guard let low = first.single, let high = last.single, low <= high else {
                throw invalid("this range of a class is not one")
            }
            set = set.union(ScalarSet([low...high]))
        }
        throw invalid("a class is not closed")
    }

    private mutating func classPart(_ scalar: Unicode.Scalar) throws(GrammarError) -> ScalarSet {
        position += 1
        return scalar == "\\" ? try escape(isInClass: true) : ScalarSet([scalar.value...scalar.value])
    }

    /// What follows a backslash.
    private mutating func escape(isInClass: Bool) throws(GrammarError) -> ScalarSet {
        guard let scalar = peek else { throw invalid("a character is expected after '\\'") }
        position += 1
        func one(_ value: UInt32) -> ScalarSet { ScalarSet([value...value]) }
        switch scalar {
        case "d": return NumberText.digit
        case "D": return NumberText.digit.inverted
        case "w": return Self.word
        case "W": return Self.word.inverted
        case "s": return Self.space
        case "S": return Self.space.inverted
        case "t": return one(0x09)
        case "n": return one(0x0A)
        case "v": return one(0x0B)
        case "f": return one(0x0C)
        case "r": return one(0x0D)
        case "b" where isInClass: return one(0x08)
        case "0" where !(peek.map { ("0"..."9").contains($0) } ?? false): return one(0)
        case "x": return one(try hexadecimal(2))
        case "u":
            if take("{") {
                var digits = 0
                while position + digits < scalars.count, scalars[position + digits] != "}" { digits += 1 }
                guard (1...8).contains(digits) else { throw invalid("'\\u{…}' is not a scalar") }
                let value = try hexadecimal(digits)
                _ = take("}")
                return one(value)
            }
            return one(try hexadecimal(4))
        default:
            let isPlain = scalar.isASCII && !Self.word.contains(scalar.value)
            guard isPlain else {
                position -= 1
                throw unsupported("'\\\(scalar)'")
            }
            return one(scalar.value)
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = peek, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw invalid("\(digits) hexadecimal digits are expected")
            }
            position += 1
            value = value << 4 | UInt32(digit)
        }
        guard Unicode.Scalar(value) != nil else { throw unsupported("half of a surrogate pair") }
        return value
    }
}

extension ScalarSet {
    /// The scalar of a set that has just one.
    fileprivate var single: UInt32? {
        guard ranges.count == 1, ranges[0].lowerBound == ranges[0].upperBound else { return nil }
        return ranges[0].lowerBound
    }
}
