// SPDX-License-Identifier: Apache-2.0

/// The code points of a template, lines ended by U+000A alone, without the last line end.
struct TemplateSource {
    let units: [UInt32]
    private let lineStarts: [Int]

    init(_ text: String) throws(TemplateError) {
        var units: [UInt32] = []
        var previous: UInt32 = 0
        for scalar in text.unicodeScalars {
            let value = scalar.value
            if value == 0x0D {
                units.append(0x0A)
            } else if !(value == 0x0A && previous == 0x0D) {
                units.append(value)
            }
            previous = value
        }
        guard units.count <= TemplateLimits.sourceLength else {
            throw .limitExceeded(
                what: "code points of source", limit: TemplateLimits.sourceLength, line: 1, column: 1)
        }
        if units.last == 0x0A { units.removeLast() }
        lineStarts = [0] + units.indices.filter { units[$0] == 0x0A }.map { $0 + 1 }
        self.units = units
    }

    /// Line and column of a place.
    func position(_ offset: Int) -> TemplatePosition {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return TemplatePosition(
            line: Int32(clamping: low + 1), column: Int32(clamping: offset - lineStarts[low] + 1))
    }

    func matches(_ text: String, at offset: Int) -> Bool {
        var index = offset
        for scalar in text.unicodeScalars {
            guard index < units.count, units[index] == scalar.value else { return false }
            index += 1
        }
        return true
    }

    /// The first place at or after `offset` that is no white space.
    func skippingSpace(from offset: Int) -> Int {
        var index = offset
        while index < units.count, TemplateText.isSpace(units[index]) { index += 1 }
        return index
    }
}
