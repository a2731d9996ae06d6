// SPDX-License-Identifier: Apache-2.0

/// Reads a regular expression in the syntax of Ruby (Oniguruma), which the reference implementation uses.
///
/// Left out, and refused by name: back references, conditionals, recursion, `\K`, `\X`, `\G`, absent groups,
/// the extended mode, and look-behind of variable length.
struct PatternParser {
    static let maximumDepth = 32
    static let maximumLength = 16_384
    static let maximumRepetition = 1000

    struct Options {
        var ignoresCase = false
        /// `.` matches line ends too.
        var dotMatchesAll = false
    }

    let scalars: [Unicode.Scalar]
    var offset = 0
    private var depth = 0

    private init(_ text: String) {
        scalars = Array(text.unicodeScalars)
    }

    /// The tree of a pattern.
    static func parse(_ text: String) throws(PatternError) -> PatternNode {
        guard text.utf8.count <= maximumLength else {
            throw PatternError("is longer than \(maximumLength) bytes")
        }
        var parser = PatternParser(text)
        let node = try parser.alternatives(Options())
        guard parser.offset == parser.scalars.count else { throw PatternError("has a ')' too many") }
        return node
    }

    // MARK: Reading

    var next: Unicode.Scalar? { offset < scalars.count ? scalars[offset] : nil }

    func peek(_ distance: Int) -> Unicode.Scalar? {
        offset + distance < scalars.count ? scalars[offset + distance] : nil
    }

    mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[offset...].starts(with: wanted) else { return false }
        offset += wanted.count
        return true
    }

    mutating func advance() throws(PatternError) -> Unicode.Scalar {
        guard let scalar = next else { throw PatternError("ends too early") }
        offset += 1
        return scalar
    }

    // MARK: Structure

    private mutating func alternatives(_ options: Options) throws(PatternError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw PatternError("nests deeper than \(Self.maximumDepth) groups")
        }
        var branches = [try sequence(options)]
        while take("|") { branches.append(try sequence(options)) }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence(_ options: Options) throws(PatternError) -> PatternNode {
        var parts: [PatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if let changed = try optionsUntilGroupEnd(options) {
                // What follows, alternatives included, belongs to the changed options.
                parts.append(try alternatives(changed))
                break
            }
            guard let part = try atom(options) else { continue }
            let node = try quantified(part)
            // What matches nothing needs no place, however often it is repeated.
            if node != .empty { parts.append(node) }
        }
        if options.ignoresCase { try PatternFolding.check(parts) }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// `(?i)` and the like without a colon.
    private mutating func optionsUntilGroupEnd(_ options: Options) throws(PatternError) -> Options? {
        guard next == "(", peek(1) == "?" else { return nil }
        let start = offset
        offset += 2
        var changed = options
        if try readOptions(&changed), take(")") { return changed }
        offset = start
        return nil
    }

    /// Letters such as `i` and `m-i`. False when something else stands there.
    private mutating func readOptions(_ options: inout Options) throws(PatternError) -> Bool {
        var turnsOn = true
        var count = 0
        while let scalar = next {
            switch scalar {
            case "i": options.ignoresCase = turnsOn
            case "m": options.dotMatchesAll = turnsOn
            case "-" where turnsOn: turnsOn = false
            case "x": throw PatternError("uses the extended mode (?x)")
            default: return count > 0
            }
            offset += 1
            count += 1
        }
        return count > 0
    }

    private mutating func atom(_ options: Options) throws(PatternError) -> PatternNode? {
        let scalar = try advance()
        switch scalar {
        case "(": return try group(options)
        case "[": return .set(try characterClass(options))
        case ".":
            return .set(options.dotMatchesAll ? .all : ScalarSet(0x0A).inverted)
        case "^": return .anchor(.lineStart)
        case "$": return .anchor(.lineEnd)
        case "\\": return try escape(options)
        case "*", "+", "?": throw PatternError("has a '\(scalar)' that repeats nothing")
        default: return .set(literal(scalar.value, options))
        }
    }

    func literal(_ value: UInt32, _ options: Options) -> ScalarSet {
        let set = ScalarSet(value)
        return options.ignoresCase ? set.caseInsensitive : set
    }

    private mutating func group(_ options: Options) throws(PatternError) -> PatternNode? {
        var inner = options
        var wrap: (PatternNode) -> PatternNode = { $0 }
        var looksBehind: Bool?
        if take("?") {
            if take("#") {
                while try advance() != ")" {}
                return nil
            } else if take("=") {
                wrap = { .lookahead($0, negated: false) }
            } else if take("!") {
                wrap = { .lookahead($0, negated: true) }
            } else if take(">") {
                wrap = { .atomic($0) }
            } else if take("<=") {
                looksBehind = false
            } else if take("<!") {
                looksBehind = true
            } else if take("<") || take("'") {
                while ![">", "'"].contains(try advance()) {}
            } else if !take(":") {
                guard try readOptions(&inner), take(":") else {
                    throw PatternError("has a group of an unknown kind, '(?\(next.map(String.init) ?? "")'")
                }
            }
        }
        let body = try alternatives(inner)
        guard take(")") else { throw PatternError("has a '(' without its ')'") }
        if let negated = looksBehind { return try lookbehind(body, negated: negated) }
        return wrap(body)
    }

    /// Alternatives may differ in length, each must have one of its own.
    private func lookbehind(_ body: PatternNode, negated: Bool) throws(PatternError) -> PatternNode {
        var branches = [body]
        if case .alternatives(let parts) = body { branches = parts }
        var looks: [PatternNode] = []
        for branch in branches {
            guard let count = branch.fixedCount else { throw PatternError("looks behind a variable length") }
            looks.append(.lookbehind(branch, count: count, negated: negated))
        }
        if looks.count == 1 { return looks[0] }
        return negated ? .sequence(looks) : .alternatives(looks)
    }
}
