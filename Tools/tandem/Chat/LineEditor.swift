// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem

/// Reads lines from a terminal with the keys that people expect: arrows, home and end, history, and the control keys of
/// the shell (A, E, B, F, D, H, K, L, U, W).
struct LineEditor {
    private let terminal: Terminal?
    private let interrupt: ChatInterrupt
    private var history: [String] = []
    private var buffer = LineBuffer()
    /// Which line of the history is shown; its count is the new line.
    private var place = 0
    private var draft = ""
    /// Where the cursor was left by the last drawing, in rows below the prompt.
    private var drawnRow = 0

    init(interrupt: ChatInterrupt) {
        terminal = Terminal()
        self.interrupt = interrupt
    }

    /// A line without its end; nil when the user leaves, by Ctrl-D on an empty line or Ctrl-C twice.
    mutating func readLine(prompt: String) throws -> String? {
        guard let terminal else { return nil }
        terminal.makeRaw()
        interrupt.setRestore { terminal.restore() }
        defer {
            terminal.restore()
            interrupt.setRestore(nil)
        }
        buffer = LineBuffer()
        place = history.count
        draft = ""
        drawnRow = 0
        var wasInterrupted = false
        draw(prompt)
        while let byte = Terminal.readByte() {
            if byte == 0x03 {
                if buffer.isEmpty, wasInterrupted { break }
                leaveLine(prompt)
                StandardOutput.write("(Ctrl-C again leaves)\r\n")
                buffer = LineBuffer()
                wasInterrupted = true
                drawnRow = 0
                draw(prompt)
                continue
            }
            wasInterrupted = false
            if byte == 0x04, buffer.isEmpty { break }
            if byte == 0x0D || byte == 0x0A {
                leaveLine(prompt)
                let line = buffer.text
                if !line.isEmpty, line != history.last { history.append(line) }
                return line
            }
            handle(byte)
            draw(prompt)
        }
        leaveLine(prompt)
        return nil
    }

    // MARK: - Keys

    private mutating func handle(_ byte: UInt8) {
        switch byte {
        case 0x01: buffer.moveToStart()
        case 0x02: buffer.moveLeft()
        case 0x04: buffer.deleteForward()
        case 0x05: buffer.moveToEnd()
        case 0x06: buffer.moveRight()
        case 0x08, 0x7F: buffer.deleteBackward()
        case 0x09: buffer.insert("    ")
        case 0x0B: buffer.deleteToEnd()
        case 0x0C:
            StandardOutput.write("\u{1B}[H\u{1B}[2J")
            drawnRow = 0
        case 0x0E: showHistory(place + 1)
        case 0x10: showHistory(place - 1)
        case 0x15: buffer.deleteToStart()
        case 0x17: buffer.deleteWordBackward()
        case 0x1B: handleEscape()
        case 0x00..<0x20: break
        default: insertText(from: byte)
        }
    }

    /// Reads what is left of a character, and what was pasted behind it.
    private mutating func insertText(from first: UInt8) {
        var bytes = [first]
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        while bytes.count < length, let next = Terminal.readByte(within: 100) {
            bytes.append(next)
            if next & 0xC0 != 0x80 { break }
        }
        buffer.insert(String(decoding: bytes, as: UTF8.self))
    }

    /// `ESC [ parameters letter`, `ESC O letter`, or a letter with the meta key.
    private mutating func handleEscape() {
        guard let kind = Terminal.readByte(within: 50) else { return }
        switch kind {
        case UInt8(ascii: "b"): return buffer.moveWordLeft()
        case UInt8(ascii: "f"): return buffer.moveWordRight()
        case 0x7F: return buffer.deleteWordBackward()
        case UInt8(ascii: "["), UInt8(ascii: "O"): break
        default: return
        }
        var parameters: [UInt8] = []
        while let byte = Terminal.readByte(within: 50) {
            if (0x40...0x7E).contains(byte) {
                return handle(final: byte, parameters: String(decoding: parameters, as: UTF8.self))
            }
            parameters.append(byte)
            if parameters.count > 16 { return }
        }
    }

    private mutating func handle(final: UInt8, parameters: String) {
        let byWord = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
        switch Character(Unicode.Scalar(final)) {
        case "A": showHistory(place - 1)
        case "B": showHistory(place + 1)
        case "C": byWord ? buffer.moveWordRight() : buffer.moveRight()
        case "D": byWord ? buffer.moveWordLeft() : buffer.moveLeft()
        case "H": buffer.moveToStart()
        case "F": buffer.moveToEnd()
        case "~":
            switch parameters {
            case "1", "7": buffer.moveToStart()
            case "4", "8": buffer.moveToEnd()
            case "3": buffer.deleteForward()
            default: break
            }
        default: break
        }
    }

    private mutating func showHistory(_ wanted: Int) {
        guard (0...history.count).contains(wanted), wanted != place else { return }
        if place == history.count { draft = buffer.text }
        place = wanted
        buffer = LineBuffer(place == history.count ? draft : history[place])
    }

    // MARK: - Drawing

    /// Row and column of the cursor after text that starts at the left edge of a window.
    private struct Pen {
        let width: Int
        var row = 0
        var column = 0

        mutating func advance(_ character: Character) {
            let size = min(DisplayWidth.of(character), width)
            if column + size > width {
                row += 1
                column = 0
            }
            column += size
        }

        /// Past the right edge the next row begins.
        mutating func wrap() {
            guard column >= width else { return }
            row += 1
            column = 0
        }
    }

    private mutating func draw(_ prompt: String) {
        var output = "\r"
        if drawnRow > 0 { output += "\u{1B}[\(drawnRow)A" }
        output += "\u{1B}[J" + prompt + buffer.text
        var pen = Pen(width: max(2, Terminal.width))
        for character in prompt { pen.advance(character) }
        var cursor = pen
        for (index, character) in buffer.characters.enumerated() {
            if index == buffer.cursor { cursor = pen }
            pen.advance(character)
        }
        if buffer.cursor == buffer.characters.count { cursor = pen }
        if pen.column >= pen.width { output += "\r\n" }
        pen.wrap()
        cursor.wrap()
        if pen.row > cursor.row { output += "\u{1B}[\(pen.row - cursor.row)A" }
        output += "\r"
        if cursor.column > 0 { output += "\u{1B}[\(cursor.column)C" }
        drawnRow = cursor.row
        StandardOutput.write(output)
    }

    /// Puts the cursor below the line.
    private mutating func leaveLine(_ prompt: String) {
        buffer.moveToEnd()
        draw(prompt)
        StandardOutput.write("\r\n")
    }
}
