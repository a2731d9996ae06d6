// SPDX-License-Identifier: Apache-2.0

/// Builds statements out of tokens. What is not implemented is refused here, by name and place.
struct TemplateParser {
    let source: TemplateSource
    let tokens: [TemplateToken]
    var index = 0
    private var depth = 0
    /// Loops around the statement that is read, for `break` and `continue`.
    var loops = 0
    /// Names that macro bodies mention, the innermost body last.
    var mentions: [Set<String>] = []

    init(_ source: TemplateSource) throws(TemplateError) {
        self.source = source
        tokens = try TemplateLexer.tokens(of: source)
    }

    /// All statements of a template.
    static func statements(of source: TemplateSource) throws(TemplateError) -> [Statement] {
        var parser = try TemplateParser(source)
        return try parser.body(until: [])
    }

    // MARK: - Tokens

    var current: TemplateToken.Kind { tokens[index].kind }
    var next: TemplateToken.Kind { tokens[min(index + 1, tokens.count - 1)].kind }
    var position: TemplatePosition { source.position(tokens[index].offset) }

    mutating func advance() {
        if index < tokens.count - 1 { index += 1 }
    }

    func isName(_ name: String) -> Bool { current == .name(name) }
    func isSymbol(_ symbol: TemplateToken.Symbol) -> Bool { current == .symbol(symbol) }

    mutating func skip(name: String) -> Bool {
        guard isName(name) else { return false }
        advance()
        return true
    }

    mutating func skip(_ symbol: TemplateToken.Symbol) -> Bool {
        guard isSymbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func expect(_ kind: TemplateToken.Kind) throws(TemplateError) {
        guard current == kind else { throw unexpected("\(kind.description) is expected") }
        advance()
    }

    mutating func expectName() throws(TemplateError) -> String {
        guard case .name(let name) = current else { throw unexpected("a name is expected") }
        advance()
        return name
    }

    func unexpected(_ expectation: String) -> TemplateError {
        .syntax("\(current.description) stands where \(expectation)", at: position)
    }

    func unsupported(_ construct: String, at position: TemplatePosition) -> TemplateError {
        .unsupported(construct, at: position)
    }

    /// Reads something that may hold itself, and bounds how deep that goes.
    mutating func nested<R>(
        _ read: (inout TemplateParser) throws(TemplateError) -> R
    ) throws(TemplateError) -> R {
        guard depth < TemplateLimits.syntaxDepth else {
            let position = position
            throw .limitExceeded(
                what: "levels of nesting in the source", limit: TemplateLimits.syntaxDepth,
                line: Int(position.line), column: Int(position.column))
        }
        depth += 1
        defer { depth -= 1 }
        return try read(&self)
    }

    // MARK: - Statements

    /// Reads statements up to a tag of one of these names, which is left to be read.
    mutating func body(until ends: [String]) throws(TemplateError) -> [Statement] {
        var statements: [Statement] = []
        while true {
            let position = position
            switch current {
            case .data(let text):
                statements.append(Statement(kind: .data(text), position: position))
                advance()
            case .printBegin:
                advance()
                let value = try expressions()
                try expect(.printEnd)
                statements.append(Statement(kind: .print([value]), position: position))
            case .tagBegin:
                advance()
                if case .name(let name) = current, ends.contains(name) { return statements }
                let statement = try nested { (parser) throws(TemplateError) in try parser.statement() }
                statements.append(statement)
                try expect(.tagEnd)
            case .end:
                guard ends.isEmpty else {
                    throw unexpected("'{% \(ends[ends.count - 1]) %}' is expected")
                }
                return statements
            default:
                throw unexpected("text or a tag is expected")
            }
        }
    }

    /// Reads the body of a tag: the tag's end, statements, and the name that ends it.
    mutating func block(until ends: [String]) throws(TemplateError) -> (body: [Statement], end: String) {
        _ = skip(.colon)
        try expect(.tagEnd)
        let body = try body(until: ends)
        return (body, try expectName())
    }

    private mutating func statement() throws(TemplateError) -> Statement {
        let position = position
        guard case .name(let name) = current else { throw unexpected("the name of a tag is expected") }
        advance()
        let kind: Statement.Kind
        switch name {
        case "set": kind = try assignment()
        case "for": kind = try loop(at: position)
        case "if": kind = try branch()
        case "macro": kind = try macro()
        case "call": kind = try callBlock(at: position)
        case "filter": kind = try filterBlock()
        case "with": kind = try with()
        case "print": kind = try printStatement()
        case "generation":
            kind = .generation(
                try macroBody { (parser) throws(TemplateError) in
                    try parser.block(until: ["endgeneration"]).body
                })
        case "break", "continue":
            guard loops > 0 else { throw .syntax("'\(name)' stands outside a loop", at: position) }
            kind = name == "break" ? .breakLoop : .continueLoop
        case "autoescape", "block", "debug", "do", "extends", "from", "import", "include", "trans":
            throw unsupported("the tag '\(name)'", at: position)
        default:
            throw .syntax("there is no tag '\(name)' here", at: position)
        }
        return Statement(kind: kind, position: position)
    }

    /// Reads something that runs as a function: loops around it are out of its reach.
    mutating func macroBody<R>(
        _ read: (inout TemplateParser) throws(TemplateError) -> R
    ) throws(TemplateError) -> R {
        let outer = loops
        loops = 0
        defer { loops = outer }
        return try read(&self)
    }

    /// Notes that a name is mentioned.
    mutating func mention(_ name: String) {
        for level in mentions.indices { mentions[level].insert(name) }
    }
}
