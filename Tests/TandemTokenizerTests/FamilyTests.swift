// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer
import TestSupport
import Testing

/// The pre-tokenisers and normalisers of model families, against ids that Hugging Face `tokenizers` gave. The model was
/// trained without cutting its texts, so that every cut shows.
@Suite struct FamilyTests {
    struct Families {
        let root: JSONValue
        let texts: [String]
        let families: [JSONValue]

        init() throws {
            root = try Fixtures.json("families.json")
            texts = try Expected.strings(root, "texts")
            families = try (root["families"]?.arrayValue).orThrow("families")
        }

        func tokenizer(_ family: JSONValue) throws -> Tokenizer {
            try tokenizer(
                preTokenizer: family["pre_tokenizer"] ?? .null, normalizer: family["normalizer"] ?? .null)
        }

        func tokenizer(preTokenizer: JSONValue, normalizer: JSONValue = .null) throws -> Tokenizer {
            let document: JSONValue = [
                "model": root["model"] ?? .null, "decoder": ["type": "ByteLevel"],
                "pre_tokenizer": preTokenizer,
                "normalizer": normalizer,
            ]
            return try Tokenizer(json: document.serializedBytes())
        }

        func tokenizer(pattern: String) throws -> Tokenizer {
            try tokenizer(
                preTokenizer: [
                    "type": "Sequence",
                    "pretokenizers": [
                        [
                            "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated",
                            "invert": false,
                        ],
                        ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
                    ],
                ])
        }
    }

    @Test func encodeAsTheReference() throws {
        let families = try Families()
        #expect(families.families.count >= 35 && families.texts.count >= 60)
        for family in families.families {
            let name = try (family["name"]?.stringValue).orThrow("name")
            let tokenizer = try families.tokenizer(family)
            let ids = try Expected.lists(family, "ids")
            for (text, expected) in zip(families.texts, ids) {
                #expect(tokenizer.encode(text) == expected, "\(name): \(text.debugDescription)")
            }
        }
    }

    /// Every pattern known by its text has a scanner; written differently it runs as any other pattern does.
    @Test(
        arguments: [
            #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"#
                + #"\s*[\r\n]+|\s+(?!\S)|\s+"#,
            #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"#
                + #"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"#,
            #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#
                + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
                + #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
        ])
    func scannersAreTheirPatterns(pattern: String) throws {
        let families = try Families()
        let scanner = try families.tokenizer(pattern: pattern)
        let engine = try families.tokenizer(pattern: "(?:\(pattern))")
        var random = SplitMix(seed: 51)
        for _ in 0..<3000 {
            let text = random.text(count: 40)
            #expect(scanner.encode(text) == engine.encode(text), "\(text.debugDescription)")
        }
    }

    @Test(
        arguments: [
            (#"(a)\1"#, #"refers back to a group, \1"#), ("a**b)", "has a ')' too many"),
            ("(a", "has a '(' without its ')'"), ("[a", "has a '[' without its ']'"),
            ("[b-a]", "has a range that ends before it begins"), ("*a", "has a '*' that repeats nothing"),
            ("a{3,2}", "has an interval that ends before it begins"),
            ("a{2000}", "repeats more than 1000 times"),
            (#"\p{Nope}"#, "uses the unknown property 'Nope'"), (#"\pL"#, "has a property without braces"),
            ("[[:nope:]]", "uses the unknown bracket '[:nope:]'"), ("(?x) a", "uses the extended mode (?x)"),
            ("(?~a)", "has a group of an unknown kind, '(?~'"),
            ("(?<=a+)b", "looks behind a variable length"),
            ("(a*b*)*", "repeats without end something that can be empty"), (#"\Ka"#, #"uses \K"#),
            ("(((a{1000}b){1000}c){1000}d){1000}", "is too large"),
            ("(?i)strasse", "ignores the case of letters"),
            (#"\x{110000}"#, "has an escape that is no scalar"), ("\\", "ends too early"),
        ])
    func refusedPatterns(pattern: String, reason: String) throws {
        let families = try Families()
        do {
            _ = try families.tokenizer(pattern: pattern)
            Issue.record("\(pattern) was accepted")
        } catch let error as TokenizerError {
            guard
                case .unsupportedPattern("pre_tokenizer.pretokenizers[0].pattern.Regex", pattern, let found) =
                    error
            else {
                Issue.record("\(error)")
                return
            }
            #expect(found.hasPrefix(reason), "\(found)")
        }
    }

    @Test func deepPatternsAreRefused() throws {
        let families = try Families()
        for (open, close) in [("(", ")"), ("(?:", ")?"), ("[", "]"), ("(?=", ")")] {
            let pattern = String(repeating: open, count: 5000) + "a" + String(repeating: close, count: 5000)
            #expect(throws: TokenizerError.self) { try families.tokenizer(pattern: pattern) }
        }
        #expect(throws: TokenizerError.self) {
            try families.tokenizer(pattern: "a" + String(repeating: "{1}", count: 4000))
        }
    }

    /// Patterns that take exponential time when every way is tried.
    @Test(
        arguments: [
            "(?:a+)+b", "(?:a|aa)+b", "(?:a|a|ab)*c", "(?:a?){30}a{30}", "(?>(?:a|aa)+)b", "(?:a|aa)+(?=c)",
            "(?:(?=(?:a|aa)+b)a|a)+c",
        ])
    func backtrackingIsBounded(pattern: String) throws {
        let tokenizer = try Families().tokenizer(pattern: pattern)
        let seconds = threadSeconds { _ = tokenizer.encode(String(repeating: "a", count: 60)) }
        #expect(seconds < 20)
    }

    /// Any text as a pattern: refused, or a tokenizer that loses nothing.
    @Test func randomPatternsNeverTrap() throws {
        let families = try Families()
        let parts = [
            "a", "b", "(", ")", "(?:", "(?=", "(?!", "(?<=", "(?>", "(?i)", "[", "]", "[^", "-", "&&", "|",
            "*", "+",
            "?", "{2}", "{1,3}", "{,2}", "\\p{L}", "\\P{N}", "\\s", "\\w", ".", "^", "$", "\\b", "\\", "é",
            "\\x41",
            "[:alpha:]", "\\R", " ",
        ]
        var random = SplitMix(seed: 52)
        var accepted = 0
        for _ in 0..<800 {
            let pattern = (0..<Int.random(in: 1...10, using: &random)).map { _ in
                parts.randomElement(using: &random) ?? ""
            }.joined()
            guard let tokenizer = try? families.tokenizer(pattern: pattern) else { continue }
            accepted += 1
            let text = random.text(count: 20)
            #expect(sameBytes(tokenizer.decode(tokenizer.encode(text)), text), "\(pattern)")
        }
        #expect(accepted > 60)
    }
}
