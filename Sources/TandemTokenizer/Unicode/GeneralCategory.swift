// SPDX-License-Identifier: Apache-2.0

/// The general category of a scalar (Unicode Standard, section 4.5), in the order the tables number them.
enum GeneralCategory: UInt8, CaseIterable, Sendable {
    case unassigned, uppercaseLetter, lowercaseLetter, titlecaseLetter, modifierLetter, otherLetter
    case nonspacingMark, spacingMark, enclosingMark
    case decimalNumber, letterNumber, otherNumber
    case connectorPunctuation, dashPunctuation, openPunctuation, closePunctuation, initialPunctuation
    case finalPunctuation, otherPunctuation
    case mathSymbol, currencySymbol, modifierSymbol, otherSymbol
    case spaceSeparator, lineSeparator, paragraphSeparator
    case control, format, privateUse, surrogate

    /// The names in patterns, in the order of the cases.
    static let names = [
        "cn", "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "pc", "pd", "ps", "pe", "pi",
        "pf",
        "po", "sm", "sc", "sk", "so", "zs", "zl", "zp", "cc", "cf", "co", "cs",
    ]

    /// The category of a scalar. O(log n).
    static func of(_ value: UInt32) -> GeneralCategory {
        GeneralCategory(
            rawValue: UInt8(truncatingIfNeeded: UnicodeRuns.find(value, GeneralCategoryRuns.table)) & 31)
            ?? .unassigned
    }
}

/// Tables of runs: the first scalar of each in the upper 24 bits, its value in the lower 8.
enum UnicodeRuns {
    /// The value of the run that `scalar` lies in.
    static func find(_ scalar: UInt32, _ runs: [UInt32]) -> UInt32 {
        var low = 0
        var high = runs.count
        while high &- low > 1 {
            let middle = (low &+ high) / 2
            if runs[middle] >> 8 <= scalar { low = middle } else { high = middle }
        }
        return runs[low] & 0xFF
    }

    /// The ranges of the scalars whose value satisfies `condition`.
    static func ranges(_ runs: [UInt32], where condition: (UInt32) -> Bool) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        for index in runs.indices where condition(runs[index] & 0xFF) {
            let end = index + 1 < runs.count ? runs[index + 1] >> 8 : ScalarSet.limit
            result.append(runs[index] >> 8...end - 1)
        }
        return result
    }
}
