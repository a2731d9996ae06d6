// SPDX-License-Identifier: Apache-2.0

/// Text in columns.
struct Table {
    private var rows: [[String]]
    /// Columns that end at their right edge.
    var rightAligned: Set<Int> = []

    /// No titles, no title row.
    init(_ titles: [String]) { rows = titles.isEmpty ? [] : [titles] }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The rows, each ended by a line feed.
    var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        var result = ""
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += rightAligned.contains(column) ? padding + cell : cell + padding
                line += "  "
            }
            while line.last == " " { line.removeLast() }
            result += line + "\n"
        }
        return result
    }
}
