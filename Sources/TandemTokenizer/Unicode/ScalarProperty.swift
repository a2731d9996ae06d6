// SPDX-License-Identifier: Apache-2.0

/// The properties that patterns name: `\p{L}`, `\p{Lu}`, `\p{Han}`, `\p{Alphabetic}`, `[:alpha:]`.
enum ScalarProperty {
    /// The scripts of ``ScriptRuns``, in the order of their numbers.
    static let scripts = [
        "common", "latin", "greek", "cyrillic", "armenian", "hebrew", "arabic", "syriac", "thaana",
        "devanagari", "bengali", "gurmukhi", "gujarati", "oriya", "tamil", "telugu", "kannada", "malayalam",
        "sinhala", "thai", "lao", "tibetan", "myanmar", "georgian", "hangul", "ethiopic", "cherokee",
        "canadianaboriginal", "ogham", "runic", "khmer", "mongolian", "hiragana", "katakana", "bopomofo",
        "han",
        "yi", "olditalic", "gothic", "deseret", "inherited", "tagalog", "hanunoo", "buhid", "tagbanwa",
        "limbu",
        "taile", "linearb", "ugaritic", "shavian", "osmanya", "cypriot", "braille", "buginese", "coptic",
        "newtailue", "glagolitic", "tifinagh", "sylotinagri", "oldpersian", "kharoshthi", "balinese",
        "cuneiform", "phoenician", "phagspa", "nko", "sundanese", "lepcha", "olchiki", "vai", "saurashtra",
        "kayahli", "rejang", "lycian", "carian", "lydian", "cham", "taitham", "taiviet", "avestan",
        "egyptianhieroglyphs", "samaritan", "lisu", "bamum", "javanese", "meeteimayek", "imperialaramaic",
        "oldsoutharabian", "inscriptionalparthian", "inscriptionalpahlavi", "oldturkic", "kaithi", "batak",
        "brahmi", "mandaic", "chakma", "adlam",
    ]

    private static let aliases = [
        "letter": "l", "uppercaseletter": "lu", "lowercaseletter": "ll", "titlecaseletter": "lt",
        "modifierletter": "lm", "otherletter": "lo", "mark": "m", "combiningmark": "m",
        "nonspacingmark": "mn",
        "spacingmark": "mc", "enclosingmark": "me", "number": "n", "decimalnumber": "nd",
        "letternumber": "nl",
        "othernumber": "no", "punctuation": "p", "connectorpunctuation": "pc", "dashpunctuation": "pd",
        "openpunctuation": "ps", "closepunctuation": "pe", "initialpunctuation": "pi",
        "finalpunctuation": "pf",
        "otherpunctuation": "po", "symbol": "s", "mathsymbol": "sm", "currencysymbol": "sc",
        "modifiersymbol": "sk", "othersymbol": "so", "separator": "z", "spaceseparator": "zs",
        "lineseparator": "zl", "paragraphseparator": "zp", "other": "c", "control": "cc", "format": "cf",
        "privateuse": "co", "surrogate": "cs", "unassigned": "cn", "alphabetic": "alpha",
        "whitespace": "space",
        "hani": "han", "hang": "hangul", "hira": "hiragana", "kana": "katakana", "latn": "latin",
        "cyrl": "cyrillic", "arab": "arabic", "grek": "greek", "hebr": "hebrew", "deva": "devanagari",
        "beng": "bengali", "armn": "armenian", "geor": "georgian", "zyyy": "common", "zinh": "inherited",
        "qaai": "inherited", "digit": "nd",
    ]

    /// The scalars with the property of this name, written in any case, with or without spaces, hyphens and
    /// underscores; `nil` when there is no such property.
    static func set(named name: String) -> ScalarSet? {
        var key = String(name.lowercased().filter { $0 != " " && $0 != "-" && $0 != "_" })
        key = aliases[key] ?? key
        if let special = posix(key) { return special }
        let categories = GeneralCategory.names.indices.filter {
            key.utf8.count == 1
                ? GeneralCategory.names[$0].hasPrefix(key) : GeneralCategory.names[$0] == key
        }
        if !categories.isEmpty { return set(categories.compactMap { GeneralCategory(rawValue: UInt8($0)) }) }
        guard let script = scripts.firstIndex(of: key) else { return nil }
        return ScalarSet(UnicodeRuns.ranges(ScriptRuns.table) { $0 == UInt32(script + 1) })
    }

    static func set(_ categories: [GeneralCategory]) -> ScalarSet {
        ScalarSet(
            UnicodeRuns.ranges(GeneralCategoryRuns.table) { value in
                categories.contains { UInt32($0.rawValue) == value & 31 }
            })
    }

    /// `\s`
    static let space = ScalarSet(ScalarClass.spaces)
    /// `\d`
    static let digit = set([.decimalNumber])
    static let alphabetic = ScalarSet(UnicodeRuns.ranges(GeneralCategoryRuns.table) { $0 & 32 != 0 })
    static let marks = set([.nonspacingMark, .spacingMark, .enclosingMark])
    /// `\w` as Oniguruma has it: some digits of Latin-1 count.
    static let word = alphabetic.union(marks).union(set([.decimalNumber, .connectorPunctuation]))
        .union(ScalarSet([0xB2...0xB3, 0xB9...0xB9, 0xBC...0xBE]))
    /// `\w` of Unicode Technical Standard 18, annex C.
    static let standardWord = alphabetic.union(marks).union(set([.decimalNumber, .connectorPunctuation]))
        .union(ScalarSet([0x200C...0x200D]))
    static let hexDigit = ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66])

    /// The names of POSIX brackets, which are properties too.
    private static func posix(_ name: String) -> ScalarSet? {
        switch name {
        case "any": .all
        case "assigned": set([.unassigned]).inverted
        case "ascii": ScalarSet([0...0x7F])
        case "alpha": alphabetic
        case "alnum": alphabetic.union(digit)
        case "space": space
        case "blank": set([.spaceSeparator]).union(ScalarSet(0x09))
        case "cntrl": set([.control])
        case "word": word
        case "xdigit": hexDigit
        case "punct": punctuation
        case "upper", "uppercase": set([.uppercaseLetter]).union(ScalarSet(otherUppercase))
        case "lower", "lowercase": set([.lowercaseLetter]).union(ScalarSet(otherLowercase))
        default: nil
        }
    }

    /// A bracket such as `[:alpha:]`, which differs from the property of its name in two cases.
    static func bracket(named name: String) -> ScalarSet? {
        switch name {
        case "punct":
            punctuation.union(set([.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol]))
        case "word": alphabetic.union(marks).union(set([.decimalNumber, .connectorPunctuation]))
        case "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "lower", "space", "upper", "xdigit":
            set(named: name)
        default: nil
        }
    }

    /// `\p{P}`
    static let punctuation = set([
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation,
    ])

    /// What is upper case without being an upper-case letter (Other_Uppercase).
    private static let otherUppercase: [ClosedRange<UInt32>] = [
        0x2160...0x216F, 0x24B6...0x24CF, 0x1F130...0x1F149, 0x1F150...0x1F169, 0x1F170...0x1F189,
    ]

    /// What is lower case without being a lower-case letter (Other_Lowercase).
    private static let otherLowercase: [ClosedRange<UInt32>] = [
        0x00AA...0x00AA, 0x00BA...0x00BA, 0x02B0...0x02B8, 0x02C0...0x02C1, 0x02E0...0x02E4,
        0x0345...0x0345, 0x037A...0x037A, 0x10FC...0x10FC, 0x1D2C...0x1D6A, 0x1D78...0x1D78,
        0x1D9B...0x1DBF, 0x2071...0x2071, 0x207F...0x207F, 0x2090...0x209C, 0x2170...0x217F,
        0x24D0...0x24E9, 0x2C7C...0x2C7D, 0xA69C...0xA69D, 0xA770...0xA770, 0xA7F2...0xA7F4,
        0xA7F8...0xA7F9, 0xAB5C...0xAB5F, 0xAB69...0xAB69, 0x10780...0x10780, 0x10783...0x10785,
        0x10787...0x107B0, 0x107B2...0x107BA, 0x1E030...0x1E06D,
    ]
}
