// SPDX-License-Identifier: Apache-2.0

/// A text as templates see it: code points, each with a mark that says whether it came from the conversation.
///
/// Marks travel with their code points through every operation, so that the rendered text still tells what the
/// template wrote from what a user wrote. Comparisons ignore them.
struct TemplateText: Sendable {
    /// Set in code points that came from the conversation.
    static let mark: UInt32 = 1 << 31
    static let valueMask: UInt32 = ~mark

    var units: [UInt32]
    /// Whether the text counts as escaped for HTML, as `safe` makes it. Adding other text to it escapes that.
    var isMarkup = false

    init(units: [UInt32], isMarkup: Bool = false) {
        self.units = units
        self.isMarkup = isMarkup
    }

    init(_ text: String, marked: Bool = false) {
        let bit = marked ? Self.mark : 0
        units = text.unicodeScalars.map { $0.value | bit }
    }

    var count: Int { units.count }
    var isEmpty: Bool { units.isEmpty }

    /// The text without its marks.
    var string: String {
        var result = String.UnicodeScalarView()
        for unit in units { result.append(Self.scalar(unit)) }
        return String(result)
    }

    static func scalar(_ unit: UInt32) -> Unicode.Scalar {
        Unicode.Scalar(unit & valueMask) ?? "\u{FFFD}"
    }

    /// A piece of the same kind.
    func with(_ units: [UInt32]) -> TemplateText {
        TemplateText(units: units, isMarkup: isMarkup)
    }
}

extension TemplateText: Equatable, Hashable {
    static func == (first: TemplateText, second: TemplateText) -> Bool {
        sameUnits(first.units, second.units)
    }

    func hash(into hasher: inout Hasher) {
        for unit in units { hasher.combine(unit & Self.valueMask) }
    }

    /// Whether this text comes before another by its code points.
    func precedes(_ other: TemplateText) -> Bool {
        for (first, second) in zip(units, other.units) {
            let (left, right) = (first & Self.valueMask, second & Self.valueMask)
            if left != right { return left < right }
        }
        return count < other.count
    }
}

/// Whether two rows of code points are the same but for their marks.
func sameUnits(_ first: [UInt32], _ second: [UInt32]) -> Bool {
    guard first.count == second.count else { return false }
    for index in first.indices where (first[index] ^ second[index]) & TemplateText.valueMask != 0 {
        return false
    }
    return true
}
