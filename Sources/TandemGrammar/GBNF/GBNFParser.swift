// SPDX-License-Identifier: Apache-2.0

/// Reads GBNF (see `Formats/grammar.md`).
struct GBNFParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private var rules = RuleSet()
    private var ruleOfName: [String: Int] = [:]
    private var isDefined: [Bool] = []
    /// Where each rule is named first.
    private var firstUse: [Int] = []

    init(_ text: String) throws(GrammarError) {
        guard text.utf8.count <= GrammarLimits.textBytes else {
            throw .tooLarge(what: "bytes", limit: GrammarLimits.textBytes)
        }
        scalars = Array(text.unicodeScalars)
    }

    mutating func parse() throws(GrammarError) -> RuleSet {
        skipSpace(acrossLines: true)
        while position < scalars.count {
            try rule()
            skipSpace(acrossLines: true)
        }
        if let missing = isDefined.firstIndex(of: false) {
            let (line, column) = place(firstUse[missing])
            throw .undefinedRule(name: rules.names[missing], line: line, column: column)
        }
        guard let root = ruleOfName["root"] else { throw .missingRoot }
        rules.root = root
        return rules
    }

    // MARK: - Rules

    private mutating func rule() throws(GrammarError) {
        let start = position
        let name = try self.name()
        let index = index(of: name, at: start)
        guard !isDefined[index] else {
            let (line, column) = place(start)
            throw .duplicateRule(name: name, line: line, column: column)
        }
        isDefined[index] = true
        skipSpace(acrossLines: false)
        guard take(":"), take(":"), take("=") else {
            throw problem("'::=' is expected after the rule's name")
        }
        skipSpace(acrossLines: true)
        rules.bodies[index] = try alternatives(isNested: false)
        guard position == scalars.count || isLineEnd else {
            throw problem(
                peek == ")"
                    ? "')' closes no group" : "the end of the rule, '|', or another element is expected")
        }
    }

    private mutating func name() throws(GrammarError) -> String {
        let start = position
        while let scalar = peek, Self.isWord(scalar) { position += 1 }
        guard position > start else { throw problem("a rule's name is expected (letters, digits, '-', '_')") }
        return String(String.UnicodeScalarView(scalars[start..<position]))
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }

    private mutating func index(of name: String, at start: Int) -> Int {
        if let known = ruleOfName[name] { return known }
        let index = rules.add(name)
        ruleOfName[name] = index
        isDefined.append(false)
        firstUse.append(start)
        return index
    }

    private mutating func alternatives(isNested: Bool) throws(GrammarError) -> Expression {
        var all = [try sequence(isNested: isNested)]
        while take("|") {
            skipSpace(acrossLines: true)
            all.append(try sequence(isNested: isNested))
        }
        return all.count == 1 ? all[0] : .choice(all)
    }

    private mutating func sequence(isNested: Bool) throws(GrammarError) -> Expression {
        var parts: [Expression] = []
        while let element = try element() {
            var part = element
            skipSpace(acrossLines: isNested)
            if let (least, most) = try quantifier() {
                part = .repeated(part, least: least, most: most)
                skipSpace(acrossLines: isNested)
                if let scalar = peek, "*+?{".unicodeScalars.contains(scalar) {
                    throw problem("this is repeated already; put it in a group")
                }
            }
            parts.append(part)
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// The next literal, class, group or name; nil where none begins.
    private mutating func element() throws(GrammarError) -> Expression? {
        guard let first = peek else { return nil }
        switch first {
        case "\"":
            return .bytes(try literal())
        case "[":
            return .scalar(try characterClass())
        case ".":
            position += 1
            return .scalar(.all)
        case "(":
            return try group()
        case "<", "!":
            throw problem("tokens by number or name are not supported; spell their text")
        case "*", "+", "?", "{":
            throw problem("nothing stands before '\(first)' that could be repeated")
        default:
            guard Self.isWord(first) else { return nil }
            let start = position
            return .rule(index(of: try name(), at: start))
        }
    }

    private mutating func group() throws(GrammarError) -> Expression {
        let start = position
        depth += 1
        guard depth <= GrammarLimits.nesting else {
            throw .tooLarge(what: "groups within each other", limit: GrammarLimits.nesting)
        }
        position += 1
        skipSpace(acrossLines: true)
        let inside = try alternatives(isNested: true)
        guard take(")") else {
            if position == scalars.count { throw problem("this group is not closed by ')'", at: start) }
            throw problem("')' or another element is expected")
        }
        depth -= 1
        return inside
    }
}

// MARK: - Scanning

extension GBNFParser {
    var peek: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private var isLineEnd: Bool { peek == "\n" || peek == "\r" }

    mutating func next() -> Unicode.Scalar? {
        defer { if position < scalars.count { position += 1 } }
        return peek
    }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        position += 1
        return true
    }

    /// Where reading goes on; for errors.
    var mark: Int { position }

    mutating func back(to mark: Int) { position = mark }

    /// Skips blanks and comments, and the ends of lines where a rule may go on.
    mutating func skipSpace(acrossLines: Bool) {
        while let scalar = peek {
            switch scalar {
            case " ", "\t":
                position += 1
            case "#":
                while position < scalars.count && !isLineEnd { position += 1 }
            case "\n", "\r":
                guard acrossLines else { return }
                position += 1
            default:
                return
            }
        }
    }

    func problem(_ text: String, at mark: Int? = nil) -> GrammarError {
        let (line, column) = place(mark ?? position)
        return .syntax(line: line, column: column, problem: text)
    }

    private func place(_ mark: Int) -> (line: Int, column: Int) {
        var line = 1
        var column = 1
        for (index, scalar) in scalars[..<mark].enumerated() {
            let isPair = scalar == "\r" && index + 1 < scalars.count && scalars[index + 1] == "\n"
            if (scalar == "\n" || scalar == "\r") && !isPair {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return (line, column)
    }
}
