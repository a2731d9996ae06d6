// SPDX-License-Identifier: Apache-2.0

/// The properties of scalars that split patterns ask for, as bits.
///
/// They are those of Unicode 16, which the reference implementation knows too: ids depend neither on the
/// toolchain nor on the platform. Scalars of later versions count as unassigned.
struct ScalarClass: OptionSet, Sendable {
    let rawValue: UInt8

    /// `\p{L}`
    static let letter = ScalarClass(rawValue: 1)
    /// `\p{N}`
    static let number = ScalarClass(rawValue: 2)
    /// `\s`: the White_Space property.
    static let space = ScalarClass(rawValue: 4)
    /// `\p{P}`
    static let punctuation = ScalarClass(rawValue: 8)
    /// `\p{Lu}` or `\p{Lt}`
    static let upper = ScalarClass(rawValue: 16)
    /// `\p{Ll}`
    static let lower = ScalarClass(rawValue: 32)
    /// `\p{M}`
    static let mark = ScalarClass(rawValue: 64)

    static let word: ScalarClass = [.letter, .number]
    /// What `[^\s\p{L}\p{N}]` excludes.
    static let spaceOrWord: ScalarClass = [.space, .letter, .number]

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The class of the scalar with this value. O(1) in the basic plane, O(log n) beyond.
    static func of(_ value: UInt32) -> ScalarClass {
        value < 0x1_0000 ? basicPlane[Int(value)] : search(value)
    }

    /// The classes of U+0000 … U+007F.
    static let ascii: [ScalarClass] = (0..<0x80).map { search($0) }

    /// The classes of U+0000 … U+FFFF, unpacked on first use.
    private static let basicPlane: [ScalarClass] = {
        let runs = GeneralCategoryRuns.table
        var plane = [ScalarClass](repeating: [], count: 0x1_0000)
        for index in runs.indices {
            let start = Int(runs[index] >> 8)
            let end = index + 1 < runs.count ? Int(runs[index + 1] >> 8) : plane.count
            let found = of(category: runs[index] & 31)
            if start >= plane.count { break }
            for value in start..<min(end, plane.count) where !found.isEmpty { plane[value] = found }
        }
        for range in spaces { for value in range { plane[Int(value)].insert(.space) } }
        return plane
    }()

    private static func search(_ value: UInt32) -> ScalarClass {
        var found = of(category: UnicodeRuns.find(value, GeneralCategoryRuns.table) & 31)
        if spaces.contains(where: { $0.contains(value) }) { found.insert(.space) }
        return found
    }

    /// The property White_Space.
    static let spaces: [ClosedRange<UInt32>] = [
        0x09...0x0D, 0x20...0x20, 0x85...0x85, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
        0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
    ]

    private static func of(category: UInt32) -> ScalarClass {
        switch GeneralCategory(rawValue: UInt8(truncatingIfNeeded: category)) {
        case .uppercaseLetter?, .titlecaseLetter?: [.letter, .upper]
        case .lowercaseLetter?: [.letter, .lower]
        case .modifierLetter?, .otherLetter?: .letter
        case .nonspacingMark?, .spacingMark?, .enclosingMark?: .mark
        case .decimalNumber?, .letterNumber?, .otherNumber?: .number
        case .connectorPunctuation?, .dashPunctuation?, .openPunctuation?, .closePunctuation?,
            .initialPunctuation?, .finalPunctuation?, .otherPunctuation?:
            .punctuation
        default: []
        }
    }
}
