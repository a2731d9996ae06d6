// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Reads the components around the model. One extension per kind.
enum ComponentReader {}

extension ComponentReader {
    static func normalizer(_ field: Field) throws(TokenizerError) -> Normalizer {
        var steps: [Normalizer.Step] = []
        for part in try field.unfolded("normalizers") {
            switch try part.type() {
            case "NFC": steps.append(.composed)
            case "NFD": steps.append(.decomposed)
            case "Lowercase": steps.append(.lowercase)
            case "Prepend": steps.append(.prepend(try part.text("prepend")))
            case "Replace":
                let pattern = try literal(part.required("pattern"))
                steps.append(
                    .replace(pattern: pattern, content: Array(try part.required("content").string().utf8)))
            case "Strip":
                steps.append(
                    .strip(
                        left: try part.flag("strip_left", default: true),
                        right: try part.flag("strip_right", default: true)))
            default:
                throw try part.required("type").unsupported(
                    "NFC, NFD, Lowercase, Prepend, Replace, Strip, Sequence")
            }
        }
        return Normalizer(steps: steps)
    }

    /// A pattern that is a plain string, not a regular expression.
    static func literal(_ field: Field) throws(TokenizerError) -> [UInt8] {
        if let regex = field.optional("Regex") {
            throw .unsupportedPattern(path: regex.path, pattern: try regex.string())
        }
        return try field.text("String")
    }
}

extension ComponentReader {
    static func preTokenizer(_ field: Field) throws(TokenizerError) -> PreTokenizer {
        var steps: [PreTokenizer.Step] = []
        var isByteLevel = false
        for part in try field.unfolded("pretokenizers") {
            // After the byte-level mapping a step would see letters in the place of bytes.
            if isByteLevel { throw part.unsupported("ByteLevel as the last step") }
            switch try part.type() {
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
                steps.append(.split(.scalar(.number), alone ? .isolated : .contiguous, invert: false))
            case "Punctuation":
                let behavior = part.optional("behavior") == nil ? .isolated : try behavior(part)
                steps.append(.split(.punctuation, behavior, invert: false))
            case "Metaspace":
                steps.append(
                    .metaspace(
                        replacement: try part.text("replacement"), scheme: try prependScheme(part),
                        split: try part.flag("split", default: true)))
            default:
                throw try part.required("type").unsupported(
                    "ByteLevel, Split, Digits, Punctuation, Metaspace, Sequence")
            }
        }
        return PreTokenizer(steps: steps, isByteLevel: isByteLevel)
    }

    private static func matcher(_ field: Field) throws(TokenizerError) -> PreTokenizer.Matcher {
        guard let regex = field.optional("Regex") else { return .literal(try field.text("String")) }
        let pattern = try regex.string()
        if let words = WordPattern(regex: pattern) { return .words(words) }
        switch pattern {
        case #"\p{N}{1,3}"#: return .numbers(limit: 3)
        case #"\p{N}"#: return .numbers(limit: 1)
        case #"\p{N}+"#: return .numbers(limit: .max)
        default: throw .unsupportedPattern(path: regex.path, pattern: pattern)
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
