// SPDX-License-Identifier: Apache-2.0

/// Cuts a template into tokens, as jinja2 does with `trim_blocks` and `lstrip_blocks`: the line end after a tag goes, and
/// so does white space before a tag that stands first on its line. `-` and `+` at a tag's ends say otherwise.
struct TemplateLexer {
    let source: TemplateSource
    var offset = 0
    private(set) var tokens: [TemplateToken] = []
    /// Brackets that are open inside the current tag.
    private var brackets: [TemplateToken.Symbol] = []

    init(_ source: TemplateSource) {
        self.source = source
    }

    private var units: [UInt32] { source.units }

    /// All tokens of the source; the last one is the end.
    static func tokens(of source: TemplateSource) throws(TemplateError) -> [TemplateToken] {
        var lexer = TemplateLexer(source)
        while lexer.offset < lexer.units.count { try lexer.readText() }
        lexer.append(.end, at: lexer.units.count)
        return lexer.tokens
    }

    func failure(_ reason: String, at offset: Int) -> TemplateError {
        .syntax(reason, at: source.position(offset))
    }

    mutating func append(_ kind: TemplateToken.Kind, at offset: Int) {
        tokens.append(TemplateToken(kind: kind, offset: offset))
    }

    // MARK: - Text between tags

    private enum Opening {
        case print, tag, comment, raw(bodyStart: Int)
    }

    /// Reads text up to the next tag, and the tag.
    private mutating func readText() throws(TemplateError) {
        let start = offset
        var place = start
        while true {
            guard let found = units[place...].firstIndex(of: 0x7B), found + 1 < units.count else {
                append(.data(Array(units[start...])), at: start)
                offset = units.count
                return
            }
            if units[found + 1] == 0x7B || units[found + 1] == 0x25 || units[found + 1] == 0x23 {
                place = found
                break
            }
            place = found + 1
        }
        let opening = self.opening(at: place)
        let sign = place + 2 < units.count ? units[place + 2] : 0
        let hasSign = sign == 0x2D || sign == 0x2B
        addData(start..<place, sign: hasSign ? sign : 0, opening: opening)
        offset = place + (hasSign ? 3 : 2)
        switch opening {
        case .comment: try skipComment(from: place)
        case .raw(let bodyStart): try readRaw(from: place, bodyStart: bodyStart)
        case .print: try readTag(from: place, isPrint: true)
        case .tag: try readTag(from: place, isPrint: false)
        }
    }

    private func opening(at place: Int) -> Opening {
        switch units[place + 1] {
        case 0x7B: return .print
        case 0x23: return .comment
        default: break
        }
        guard let afterName = afterTagName("raw", at: place) else { return .tag }
        if source.matches("-%}", at: afterName) {
            return .raw(bodyStart: source.skippingSpace(from: afterName + 3))
        }
        return source.matches("%}", at: afterName) ? .raw(bodyStart: afterName + 2) : .tag
    }

    /// Where the white space after `{% name` ends, if that stands at `place`.
    private func afterTagName(_ name: String, at place: Int) -> Int? {
        guard source.matches("{%", at: place) else { return nil }
        var index = place + 2
        if index < units.count, units[index] == 0x2D || units[index] == 0x2B { index += 1 }
        index = source.skippingSpace(from: index)
        guard source.matches(name, at: index) else { return nil }
        return source.skippingSpace(from: index + name.unicodeScalars.count)
    }

    /// Adds text before a tag, without the white space that the tag takes.
    private mutating func addData(_ range: Range<Int>, sign: UInt32, opening: Opening) {
        var text = Array(units[range])
        if sign == 0x2D {
            text = TemplateText(units: text).stripped(.right)
        } else if sign == 0, !isPrint(opening) {
            let line = (text.lastIndex(of: 0x0A) ?? -1) + 1
            let startsLine = line > 0 || range.lowerBound == 0 || units[range.lowerBound - 1] == 0x0A
            if startsLine, line < text.count, text[line...].allSatisfy(TemplateText.isSpace) {
                text.removeSubrange(line...)
            }
        }
        if !text.isEmpty { append(.data(text), at: range.lowerBound) }
    }

    private func isPrint(_ opening: Opening) -> Bool {
        if case .print = opening { true } else { false }
    }

    /// Where the source goes on after the end of a tag at `offset`, or nil when none ends there.
    private func afterTagEnd(_ end: String, at offset: Int, trimsLine: Bool) -> Int? {
        if source.matches("-" + end, at: offset) { return source.skippingSpace(from: offset + 3) }
        if trimsLine, source.matches("+" + end, at: offset) { return offset + 3 }
        guard source.matches(end, at: offset) else { return nil }
        let next = offset + 2
        return trimsLine && next < units.count && units[next] == 0x0A ? next + 1 : next
    }

    private mutating func skipComment(from place: Int) throws(TemplateError) {
        while offset < units.count {
            if let next = afterTagEnd("#}", at: offset, trimsLine: true) {
                offset = next
                return
            }
            offset += 1
        }
        throw failure("the comment that starts here has no end", at: place)
    }

    private mutating func readRaw(from place: Int, bodyStart: Int) throws(TemplateError) {
        var end = bodyStart
        while end < units.count {
            if let afterName = afterTagName("endraw", at: end),
                let next = afterTagEnd("%}", at: afterName, trimsLine: true)
            {
                let sign = units[end + 2]
                addData(bodyStart..<end, sign: sign == 0x2D || sign == 0x2B ? sign : 0, opening: .tag)
                offset = next
                return
            }
            end += 1
        }
        throw failure("the raw block that starts here has no end", at: place)
    }

    // MARK: - Inside tags

    private mutating func readTag(from place: Int, isPrint: Bool) throws(TemplateError) {
        append(isPrint ? .printBegin : .tagBegin, at: place)
        brackets.removeAll()
        while offset < units.count {
            if brackets.isEmpty,
                let next = afterTagEnd(isPrint ? "}}" : "%}", at: offset, trimsLine: !isPrint)
            {
                append(isPrint ? .printEnd : .tagEnd, at: offset)
                offset = next
                return
            }
            if TemplateText.isSpace(units[offset]) {
                offset += 1
            } else if try !readNumber(), !readName(), try !readString() {
                try readSymbol()
            }
        }
        throw failure("the tag that starts here has no end", at: place)
    }

    private mutating func readName() -> Bool {
        let start = offset
        guard Self.isNameStart(units[start]) else { return false }
        while offset < units.count, Self.isNamePart(units[offset]) { offset += 1 }
        append(.name(TemplateText(units: Array(units[start..<offset])).string), at: start)
        return true
    }

    private static func isNameStart(_ value: UInt32) -> Bool {
        switch value {
        case 0x41...0x5A, 0x61...0x7A, 0x5F: true
        case 0..<0x80: false
        default: TemplateText.scalar(value).properties.isXIDStart
        }
    }

    private static func isNamePart(_ value: UInt32) -> Bool {
        switch value {
        case 0x30...0x39: true
        case 0x80...: TemplateText.scalar(value).properties.isXIDContinue
        default: isNameStart(value)
        }
    }

    private mutating func readSymbol() throws(TemplateError) {
        guard
            let symbol = TemplateToken.Symbol.allCases.first(where: {
                source.matches($0.rawValue, at: offset)
            })
        else {
            let character = TemplateText.scalar(units[offset])
            throw failure("unexpected character '\(character)'", at: offset)
        }
        switch symbol {
        case .leftBrace: brackets.append(.rightBrace)
        case .leftBracket: brackets.append(.rightBracket)
        case .leftParenthesis: brackets.append(.rightParenthesis)
        case .rightBrace, .rightBracket, .rightParenthesis:
            guard let expected = brackets.popLast() else {
                throw failure("unexpected '\(symbol.rawValue)'", at: offset)
            }
            guard expected == symbol else {
                throw failure(
                    "'\(symbol.rawValue)' stands where '\(expected.rawValue)' is expected", at: offset)
            }
        default: break
        }
        append(.symbol(symbol), at: offset)
        offset += symbol.rawValue.utf8.count
    }
}
