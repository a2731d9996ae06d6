// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import Testing

@Suite struct GBNFTests {
    /// A grammar, texts that match, and texts that do not.
    static let cases: [(grammar: String, matches: [String], others: [String])] = [
        (#"root ::= "yes" | "no""#, ["yes", "no"], ["", "y", "yesno", "maybe"]),
        ("root ::= \"\" | \"a\"", ["", "a"], ["aa"]),
        ("root ::= | \"a\"", ["", "a"], ["aa"]),
        (#"root ::= "\n\t\r\"\\\x41\u00e9\U0001F600\[\]""#, ["\n\t\r\"\\Aé😀[]"], ["A"]),
        ("root ::= [a-cx] [^a-c\\n]", ["ad", "xé", "b😀"], ["aa", "a\n", "dd", "a"]),
        ("root ::= [a\\-c] [-x] [x-] []?", ["ax-", "--x", "cxx"], ["bxx", "aax"]),
        (
            "root ::= [\\x30-\\x39]+ [à-ü]", ["12é", "9à"],
            ["é", "12e", "1ß2"].filter { $0 != "1ß2" } + ["1Ā"]
        ),
        ("root ::= . . .", ["a😀\n", "éééé".prefix(3).description], ["ab", "abcd"]),
        ("root ::= \"a\"? \"b\"* \"c\"+", ["c", "abbcc", "bc"], ["ab", "aac", ""]),
        (
            "root ::= \"a\"{2} \"b\"{1,} \"c\"{0,2} \"d\"{,1}", ["aab", "aabbbccd", "aabd"],
            ["ab", "aabccc", "aabdd"]
        ),
        ("root ::= (\"a\" | \"bc\"){2,3}", ["aa", "abc", "bcbcbc"], ["a", "aaaa", "b"]),
        ("root ::= (\"a\"?){3,} \"b\"", ["b", "ab", "aaaaab"], ["a", "ba"]),
        ("root ::= (\"a\"*)* (\"b\"* | \"c\")+", ["", "aabb", "cbc"], ["ba"]),
        (
            """
            # lists
            root ::= "[" items? "]" # the whole
            items ::=
              item ("," item)*
            item ::= root |
              [0-9]{1,3}
            """, ["[]", "[1]", "[[],12,[3]]"], ["[", "[1,]", "[1234]", "[]]"]
        ),
        ("root ::= \"(\" root \")\" | \"x\"", ["x", "((x))"], ["((x)", "()"]),
        ("root ::= a a\na ::= \"x\" a | \"x\"", ["xx", "xxxxx"], ["x", ""]),
        ("root ::= a\na ::= \"x\" a \"y\" | \"x\" a \"z\" | \"-\"", ["-", "xx-yz"], ["xx-y", "x-"]),
        ("my-rule_1 ::= \"k\"\r\nroot ::= my-rule_1 \"\"", ["k"], ["", "kk"]),
        ("root::=\"a\"(\n\"b\"\n|\n\"c\"\n)\n", ["ab", "ac"], ["a", "bc"]),
        ("root ::= never | \"a\" never* \"b\"\nnever ::= \"x\" never", ["ab"], ["x", "axb", "a"]),
    ]

    @Test(arguments: 0..<20)
    func constructs(_ index: Int) throws {
        let (text, matches, others) = Self.cases[index]
        let grammar = try Grammar(gbnf: text)
        for text in matches { #expect(try grammar.accepts(text), "\(text.debugDescription)") }
        for text in others { #expect(try !grammar.accepts(text), "\(text.debugDescription)") }
    }

    static let refusals: [(grammar: String, error: GrammarError)] = [
        ("", .missingRoot),
        ("a ::= \"x\"", .missingRoot),
        ("root ::= \"a\" | b\nc ::= b", .undefinedRule(name: "b", line: 1, column: 16)),
        ("root ::= \"a\"\n\nroot ::= \"b\"", .duplicateRule(name: "root", line: 3, column: 1)),
        ("root ::= root \"a\" | \"b\"", .leftRecursion(cycle: ["root", "root"])),
        (
            "root ::= \"x\" a\na ::= e b\nb ::= a \"y\" | \"z\"\ne ::= \"e\"?",
            .leftRecursion(cycle: ["a", "b", "a"])
        ),
        ("root ::= (\"a\"* root)? \"b\"", .leftRecursion(cycle: ["root", "root"])),
        ("root ::= \"a\" root", .matchesNothing),
        ("root ::= []", .matchesNothing),
        ("root = \"a\"", .syntax(line: 1, column: 6, problem: "'::=' is expected after the rule's name")),
        (
            "root ::= \"a",
            .syntax(line: 1, column: 10, problem: "this text is not closed by '\"' on its line")
        ),
        (
            "root ::= [a-",
            .syntax(line: 1, column: 10, problem: "this class is not closed by ']' on its line")
        ),
        ("root ::= [z-a]", .syntax(line: 1, column: 11, problem: "this range ends before it begins")),
        (
            "root ::= \"é\" (\n\"b\"",
            .syntax(line: 1, column: 14, problem: "this group is not closed by ')'")
        ),
        (
            "root ::= \"a\"\n )",
            .syntax(line: 2, column: 2, problem: "a rule's name is expected (letters, digits, '-', '_')")
        ),
        ("root ::= \"a\" )", .syntax(line: 1, column: 14, problem: "')' closes no group")),
        (
            "root ::= \"\\q\"",
            .syntax(line: 1, column: 11, problem: "'\\q' is not an escape; use \\\\ for a backslash")
        ),
        ("root ::= \"\\x4\"", .syntax(line: 1, column: 14, problem: "2 hexadecimal digits are expected")),
        ("root ::= \"\\ud800\"", .syntax(line: 1, column: 11, problem: "this is no Unicode scalar")),
        ("root ::= \"\\U00110000\"", .syntax(line: 1, column: 11, problem: "this is no Unicode scalar")),
        (
            "root ::= * \"a\"",
            .syntax(line: 1, column: 10, problem: "nothing stands before '*' that could be repeated")
        ),
        (
            "root ::= \"a\"+*",
            .syntax(line: 1, column: 14, problem: "this is repeated already; put it in a group")
        ),
        ("root ::= \"a\"{3,2}", .syntax(line: 1, column: 13, problem: "the most is less than the least")),
        ("root ::= \"a\"{}", .syntax(line: 1, column: 13, problem: "'{n}', '{n,}' or '{n,m}' is expected")),
        ("root ::= \"a\"{9999999}", .syntax(line: 1, column: 20, problem: "a count must be at most 1000000")),
        (
            "root ::= <think>",
            .syntax(
                line: 1, column: 10, problem: "tokens by number or name are not supported; spell their text")
        ),
        (
            "root ::= " + String(repeating: "(", count: 200) + "\"a\"" + String(repeating: ")", count: 200),
            .tooLarge(what: "groups within each other", limit: 128)
        ),
    ]

    @Test(arguments: 0..<27)
    func refuses(_ index: Int) {
        #expect(throws: Self.refusals[index].error) { try Grammar(gbnf: Self.refusals[index].grammar) }
    }

    @Test func grammarsCombine() throws {
        let call = try Grammar.sequence([
            .literal("<call>"), Grammar(schema: #"{"type": "integer"}"#), .literal("</call>"),
        ])
        let all = try Grammar.choice([call, Grammar(gbnf: "root ::= [a-z]+")]).repeated(least: 1, most: 2)
        for text in ["<call>12</call>", "abc", "<call>-1</call>x"] { #expect(try all.accepts(text)) }
        for text in ["<call></call>", "", "<call>1</call><call>2</call><call>3</call>"] {
            #expect(try !all.accepts(text))
        }
        #expect(throws: GrammarError.matchesNothing) { try Grammar.choice([]) }
        #expect(throws: GrammarError.tooLarge(what: "repetitions", limit: 1_000_000)) {
            try call.repeated(least: 3, most: 2)
        }
    }

    @Test func equality() throws {
        #expect(try Grammar(gbnf: "root ::= \"a\"") == Grammar(gbnf: "root ::= \"\\x61\" # the same"))
        #expect(try Grammar(gbnf: "root ::= \"a\"") != Grammar(gbnf: "root ::= \"b\""))
        #expect(Grammar.json == Grammar.json && Grammar.json != Grammar.jsonValue)
    }
}
