// SPDX-License-Identifier: Apache-2.0

/// Upper, lower and title case by the rules of Python's `str`: full mappings of Unicode, no locale.
extension TemplateText {
    var uppercased: [UInt32] { mapped { $0.uppercaseMapping } }

    var lowercased: [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(count)
        for index in units.indices { appendLower(index, to: &result) }
        return result
    }

    /// The first code point in title case, the others in lower case.
    var capitalized: [UInt32] {
        var result: [UInt32] = []
        for index in units.indices {
            if index == 0 {
                Self.append(units[0], to: &result) { $0.titlecaseMapping }
            } else {
                appendLower(index, to: &result)
            }
        }
        return result
    }

    /// `str.title`: every run of cased letters starts in title case.
    var titlecased: [UInt32] {
        var result: [UInt32] = []
        var insideWord = false
        for index in units.indices {
            if insideWord {
                appendLower(index, to: &result)
            } else {
                Self.append(units[index], to: &result) { $0.titlecaseMapping }
            }
            insideWord = Self.scalar(units[index]).properties.isCased
        }
        return result
    }

    /// The filter `title`: what follows white space, a hyphen or an opening bracket starts in upper case.
    var titledWords: [UInt32] {
        var result: [UInt32] = []
        var index = 0
        while index < count {
            let end = units[index...].firstIndex(where: Self.separatesWords) ?? count
            if end == index {
                result.append(units[index])
                index += 1
                continue
            }
            Self.append(units[index], to: &result) { $0.uppercaseMapping }
            result += with(Array(units[index + 1..<end])).lowercased
            index = end
        }
        return result
    }

    private static func separatesWords(_ unit: UInt32) -> Bool {
        let value = unit & valueMask
        return isSpace(value) || wordSeparators.contains(value)
    }

    private static let wordSeparators: Set<UInt32> = [0x2D, 0x28, 0x7B, 0x5B, 0x3C]

    var swappedCase: [UInt32] {
        var result: [UInt32] = []
        for index in units.indices {
            let properties = Self.scalar(units[index]).properties
            if properties.isUppercase {
                appendLower(index, to: &result)
            } else if properties.isLowercase {
                Self.append(units[index], to: &result) { $0.uppercaseMapping }
            } else {
                result.append(units[index])
            }
        }
        return result
    }

    /// Whether there are cased letters, and all of them are upper case.
    var isUpper: Bool {
        var found = false
        for unit in units {
            let properties = Self.scalar(unit).properties
            if properties.isLowercase || properties.generalCategory == .titlecaseLetter { return false }
            if properties.isUppercase { found = true }
        }
        return found
    }

    /// Whether there are cased letters, and all of them are lower case.
    var isLower: Bool {
        var found = false
        for unit in units {
            let properties = Self.scalar(unit).properties
            if properties.isUppercase || properties.generalCategory == .titlecaseLetter { return false }
            if properties.isLowercase { found = true }
        }
        return found
    }

    /// Whether upper case stands only after uncased letters and lower case only after cased ones.
    var isTitle: Bool {
        var found = false
        var afterCased = false
        for unit in units {
            let properties = Self.scalar(unit).properties
            if properties.isUppercase || properties.generalCategory == .titlecaseLetter {
                if afterCased { return false }
                afterCased = true
                found = true
            } else if properties.isLowercase {
                if !afterCased { return false }
                found = true
            } else {
                afterCased = false
            }
        }
        return found
    }

    private func mapped(_ mapping: (Unicode.Scalar.Properties) -> String) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(count)
        for unit in units { Self.append(unit, to: &result, mapping) }
        return result
    }

    private static func append(
        _ unit: UInt32, to result: inout [UInt32], _ mapping: (Unicode.Scalar.Properties) -> String
    ) {
        for scalar in mapping(scalar(unit).properties).unicodeScalars {
            result.append(scalar.value | (unit & mark))
        }
    }

    /// A capital sigma at the end of a word becomes a final sigma.
    private func appendLower(_ index: Int, to result: inout [UInt32]) {
        let unit = units[index]
        if unit & Self.valueMask == 0x3A3 {
            result.append((isFinalSigma(at: index) ? 0x3C2 : 0x3C3) | (unit & Self.mark))
        } else {
            Self.append(unit, to: &result) { $0.lowercaseMapping }
        }
    }

    private func isFinalSigma(at index: Int) -> Bool {
        func casedNeighbour(_ indices: some Sequence<Int>) -> Bool {
            for neighbour in indices {
                let properties = Self.scalar(units[neighbour]).properties
                if !properties.isCaseIgnorable { return properties.isCased }
            }
            return false
        }
        return casedNeighbour((0..<index).reversed()) && !casedNeighbour(index + 1..<units.count)
    }
}
