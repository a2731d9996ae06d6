// SPDX-License-Identifier: Apache-2.0

import Tandem

/// One line of progress with a bar and the time left, on standard error, only when that is a terminal.
struct ProgressLine {
    private let label: String
    private let total: Int
    private let shown: Bool
    private let start: Double
    private var lastDrawn = 0.0

    init(label: String, total: Int, quiet: Bool = false) {
        self.label = label
        self.total = max(1, total)
        shown = !quiet && StandardError.isTerminal
        start = monotonicSeconds()
    }

    /// Draws the line at most ten times a second.
    mutating func update(_ done: Int, note: String = "") {
        guard shown else { return }
        let time = monotonicSeconds()
        guard time - lastDrawn >= 0.1 || done >= total else { return }
        lastDrawn = time
        let share = min(1, Double(done) / Double(total))
        let filled = Int(share * 24)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
        var line = "\r\u{1B}[K\(bar) \(fixed(share * 100, 0)) %  \(done)/\(total) \(label)"
        if share > 0 {
            let left = (time - start) * (1 - share) / share
            line += "  \(fixed(left, left < 10 ? 1 : 0)) s left"
        }
        if !note.isEmpty { line += "  \(note)" }
        StandardError.write(line)
    }

    /// Removes the line.
    mutating func finish() {
        if shown { StandardError.write("\r\u{1B}[K") }
    }
}
