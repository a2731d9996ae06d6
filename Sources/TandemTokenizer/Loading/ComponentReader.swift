// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Reads the components around the model. One extension per kind.
enum ComponentReader {}

extension ComponentReader {
    static func normalizer(_ field: Field) throws(TokenizerError) -> Normalizer {
        var steps: [Normalizer.Step] = []
        for part in try field.unfolded("normalizers") {
            switch try part.type() {
            case "NFC": steps.append(.form(.composed))
            case "NFD": steps.append(.form(.decomposed))
            case "NFKC": steps.append(.form(.compatibilityComposed))
            case "NFKD": steps.append(.form(.compatibilityDecomposed))
            case "Lowercase": steps.append(.lowercase)
            case "StripAccents": steps.append(.stripAccents)
            case "Nmt": steps.append(.cleaned)
            case "ByteLevel": steps.append(.byteLevel)
            case "Prepend":
                steps.append(
                    .prepend(
                        try part.text("prepend"), try scheme(part)))
            case "Replace": steps.append(try replacement(part))
            case "Precompiled": steps.append(.precompiled(try precompiledMap(part)))
            case "Strip":
                steps.append(
                    .strip(
                        left: try part.flag("strip_left", default: true),
                        right: try part.flag("strip_right", default: true)))
            default:
                throw try part.required("type").unsupported(
                    "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Nmt, ByteLevel, Prepend, Replace, "
                        + "Precompiled, Strip, Sequence")
            }
        }
        return Normalizer(steps: steps)
    }

    private static func scheme(_ part: Field) throws(TokenizerError) -> Normalizer.PrependScheme {
        guard let field = part.optional("scheme") else { return .always }
        guard let scheme = Normalizer.PrependScheme(rawValue: try field.string()) else {
            throw field.unsupported("always, first, first_or_special")
        }
        return scheme
    }

    private static func replacement(_ part: Field) throws(TokenizerError) -> Normalizer.Step {
        let content = Array(try part.required("content").string().utf8)
        let pattern = try part.required("pattern")
        guard let regex = pattern.optional("Regex") else {
            return .replace(pattern: try pattern.text("String"), content: content)
        }
        return .replaceMatches(try self.pattern(regex), content: content)
    }

    /// A regular expression.
    static func pattern(_ field: Field) throws(TokenizerError) -> SplitPattern {
        let text = try field.string()
        do {
            return try SplitPattern(text)
        } catch {
            throw .unsupportedPattern(path: field.path, pattern: text, reason: error.reason)
        }
    }

    private static func wordsAndSymbols(_ part: Field) throws(TokenizerError) -> SplitPattern {
        do {
            return try .wordsAndSymbols
        } catch {
            throw .unsupportedPattern(path: part.path, pattern: #"\w+|[^\w\s]+"#, reason: error.reason)
        }
    }

    private static func precompiledMap(_ part: Field) throws(TokenizerError) -> PrecompiledMap {
        let field = try part.required("precompiled_charsmap")
        // The packer marks maps that came from SentencePiece itself.
        let matching: PrecompiledMap.Matching =
            try part.flag("longest_match", default: false) ? .longest : .clusters
        guard let bytes = Base64.decode(try field.string()),
            let map = PrecompiledMap(bytes, matching: matching)
        else { throw .wrongType(path: field.path, expected: "a character map in base 64") }
        return map
    }
}

extension ComponentReader {
    static func preTokenizer(_ field: Field) throws(TokenizerError) -> PreTokenizer {
        var steps: [PreTokenizer.Step] = []
        var isByteLevel = false
        for part in try field.unfolded("pretokenizers") {
            let type = try part.type()
            if isByteLevel {
                guard type != "ByteLevel" else { throw part.unsupported("one ByteLevel") }
                // From the mapping on, steps see the characters that stand for bytes.
                if !steps.contains(where: { if case .spellBytes = $0 { true } else { false } }) {
                    steps.append(.spellBytes)
                }
            }
            switch type {
            case "ByteLevel":
                isByteLevel = true
                if try part.flag("add_prefix_space", default: true) { steps.append(.prefixSpace) }
                if try part.flag("use_regex", default: true) {
                    steps.append(.split(.words(.gpt2), .isolated, invert: false))
                }
            case "Split":
                let invert = try part.flag("invert", default: false)
                steps.append(
                    .split(try matcher(part.required("pattern")), try behavior(part), invert: invert))
            case "Digits":
                let alone = try part.flag("individual_digits", default: false)
                steps.append(.split(.digit, alone ? .isolated : .contiguous, invert: false))
            case "Punctuation":
                let behavior = part.optional("behavior") == nil ? .isolated : try behavior(part)
                steps.append(.split(.punctuation, behavior, invert: false))
            case "Whitespace":
                steps.append(.split(.pattern(try wordsAndSymbols(part)), .removed, invert: true))
            case "WhitespaceSplit":
                steps.append(.split(.scalar(.space), .removed, invert: false))
            case "BertPreTokenizer":
                steps.append(.split(.scalar(.space), .removed, invert: false))
                steps.append(.split(.punctuation, .isolated, invert: false))
            case "CharDelimiterSplit":
                steps.append(.split(.literal(try part.text("delimiter")), .removed, invert: false))
            case "FixedLength": steps.append(.split(.count(try length(part)), .isolated, invert: false))
            case "Metaspace":
                steps.append(
                    .metaspace(
                        replacement: try part.text("replacement"), scheme: try prependScheme(part),
                        split: try part.flag("split", default: true)))
            default:
                throw try part.required("type").unsupported(
                    "ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, "
                        + "CharDelimiterSplit, FixedLength, Metaspace, Sequence")
            }
        }
        return PreTokenizer(steps: steps, isByteLevel: isByteLevel)
    }

    private static func length(_ part: Field) throws(TokenizerError) -> Int {
        guard let field = part.optional("length") else { return 5 }
        let length = try field.int()
        guard length > 0 && length <= 1 << 20 else { throw field.unsupported("1 … \(1 << 20)") }
        return length
    }

    private static func matcher(_ field: Field) throws(TokenizerError) -> SplitMatcher {
        guard let regex = field.optional("Regex") else { return .literal(try field.text("String")) }
        let text = try regex.string()
        if let words = WordPattern(regex: text) { return .words(words) }
        switch text {
        case #"\p{N}{1,3}"#: return .numbers(limit: 3)
        case #"\p{N}"#: return .numbers(limit: 1)
        case #"\p{N}+"#: return .numbers(limit: .max)
        default: return .pattern(try pattern(regex))
        }
    }

    private static func behavior(_ part: Field) throws(TokenizerError) -> SplitBehavior {
        let field = try part.required("behavior")
        guard let behavior = SplitBehavior(rawValue: try field.string()) else {
            throw field.unsupported(SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return behavior
    }

    /// `prepend_scheme`, or `add_prefix_space` in files from before there was one.
    static func prependScheme(_ part: Field) throws(TokenizerError) -> PreTokenizer.PrependScheme {
        guard let field = part.optional("prepend_scheme") else {
            return try part.flag("add_prefix_space", default: true) ? .always : .never
        }
        guard let scheme = PreTokenizer.PrependScheme(rawValue: try field.string()) else {
            throw field.unsupported("always, first, never")
        }
        return scheme
    }
}
