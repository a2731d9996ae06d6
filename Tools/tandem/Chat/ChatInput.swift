// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem

/// Messages as they are typed or piped in: lines, joined where a message has several.
struct ChatInput {
    let isTerminal: Bool
    private var editor: LineEditor
    private var pending: [UInt8] = []
    private var isAtEnd = false

    init(isTerminal: Bool, interrupt: ChatInterrupt) {
        self.isTerminal = isTerminal
        editor = LineEditor(interrupt: interrupt)
    }

    /// The next message or command without white space at its ends; nil at the end of the input.
    ///
    /// A line that ends with a backslash goes on in the next one. Three quotes begin and end a text of several lines.
    mutating func message() throws -> String? {
        guard var line = try line(prompt: "> ") else { return nil }
        let start = TextEnds.trimmed(line)
        if start.hasPrefix("\"\"\"") { return try block(String(start.dropFirst(3))) }
        var lines: [String] = []
        while line.hasSuffix("\\") {
            lines.append(String(line.dropLast()))
            guard let next = try self.line(prompt: ". ") else {
                line = ""
                break
            }
            line = next
        }
        lines.append(line)
        return TextEnds.trimmed(lines.joined(separator: "\n"))
    }

    private mutating func block(_ start: String) throws -> String? {
        var text = start
        while true {
            if let end = closingQuotes(in: text) { return end }
            guard let next = try line(prompt: ". ") else { return text }
            text += "\n" + next
        }
    }

    /// The text before the closing quotes, if it has any.
    private func closingQuotes(in text: String) -> String? {
        let trimmed = TextEnds.trimmed(text)
        guard trimmed.hasSuffix("\"\"\"") else { return nil }
        return TextEnds.trimmed(String(trimmed.dropLast(3)))
    }

    private mutating func line(prompt: String) throws -> String? {
        isTerminal ? try editor.readLine(prompt: prompt) : try plainLine()
    }

    /// The next line of standard input; what is not UTF-8 is replaced.
    private mutating func plainLine() throws -> String? {
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                var bytes = pending[..<end]
                if bytes.last == 0x0D { bytes.removeLast() }
                let line = String(decoding: bytes, as: UTF8.self)
                pending.removeFirst(end + 1)
                return line
            }
            if isAtEnd {
                if pending.isEmpty { return nil }
                defer { pending.removeAll() }
                return String(decoding: pending, as: UTF8.self)
            }
            var block = [UInt8](repeating: 0, count: 65536)
            let count = unsafe block.withUnsafeMutableBytes {
                unsafe read(STDIN_FILENO, $0.baseAddress, $0.count)
            }
            if count > 0 {
                pending.append(contentsOf: block[..<count])
                if pending.count > PromptError.limit { throw PromptError.tooLarge(path: "-") }
            } else if count == 0 {
                isAtEnd = true
            } else if errno != EINTR {
                throw PromptError.unreadable(path: "-", reason: currentSystemError())
            }
        }
    }
}
