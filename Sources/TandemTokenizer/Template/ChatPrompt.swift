// SPDX-License-Identifier: Apache-2.0

/// A rendered conversation that still tells what the template wrote from what the messages said.
public struct ChatPrompt: Sendable, Equatable {
    public let text: String
    /// The parts of the text that came from messages, tools and documents, as byte offsets into its UTF-8; in order,
    /// apart from each other.
    public let contentRanges: [Range<Int>]

    public init(text: String, contentRanges: [Range<Int>]) {
        self.text = text
        self.contentRanges = contentRanges
    }

    init(_ units: [UInt32]) {
        var scalars = String.UnicodeScalarView()
        var ranges: [Range<Int>] = []
        var offset = 0
        for unit in units {
            let scalar = TemplateText.scalar(unit)
            scalars.append(scalar)
            let end = offset + UTF8.width(scalar)
            if unit & TemplateText.mark != 0 {
                if let last = ranges.last, last.upperBound == offset {
                    ranges[ranges.count - 1] = last.lowerBound..<end
                } else {
                    ranges.append(offset..<end)
                }
            }
            offset = end
        }
        text = String(scalars)
        contentRanges = ranges
    }
}
