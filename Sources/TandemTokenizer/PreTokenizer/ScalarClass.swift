// SPDX-License-Identifier: Apache-2.0

/// The properties of scalars that split patterns ask for, as bits.
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

    /// What `[^\s\p{L}\p{N}]` excludes.
    static let word: ScalarClass = [.letter, .number]
    static let spaceOrWord: ScalarClass = [.space, .letter, .number]

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Asks the standard library's Unicode tables; about 40 ns.
    init(of scalar: Unicode.Scalar) {
        var value: ScalarClass
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .titlecaseLetter: value = [.letter, .upper]
        case .lowercaseLetter: value = [.letter, .lower]
        case .modifierLetter, .otherLetter: value = .letter
        case .decimalNumber, .letterNumber, .otherNumber: value = .number
        case .nonspacingMark, .spacingMark, .enclosingMark: value = .mark
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation:
            value = .punctuation
        default: value = []
        }
        if scalar.properties.isWhitespace { value.insert(.space) }
        self = value
    }

    /// The classes of U+0000 … U+007F.
    static let ascii: [ScalarClass] = (0..<0x80).map { ScalarClass(of: Unicode.Scalar(UInt8($0))) }

    /// The classes of U+0000 … U+FFFF. Built on first use, in a few milliseconds; surrogates have none.
    static let basicPlane: [ScalarClass] = (0..<0x1_0000).map { value in
        Unicode.Scalar(UInt32(value)).map { ScalarClass(of: $0) } ?? []
    }

    /// The class of the scalar with this value.
    static func of(_ value: UInt32) -> ScalarClass {
        if value < 0x1_0000 { return basicPlane[Int(value)] }
        return Unicode.Scalar(value).map { ScalarClass(of: $0) } ?? []
    }
}
