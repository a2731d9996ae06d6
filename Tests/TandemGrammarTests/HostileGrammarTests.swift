// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import TandemJSON
import Testing

@Suite struct HostileGrammarTests {
    private func feed(_ grammar: Grammar, _ byte: UInt8, _ count: Int) throws -> Bool {
        var state = try TestVocabulary.bytes.start(grammar)
        for _ in 0..<count where try !state.advance(Int32(byte)) { return false }
        _ = try state.mask()
        return true
    }

    /// 2ⁿ stacks that share their parts cost n.
    @Test func ambiguityIsShared() throws {
        #expect(try feed(Grammar(gbnf: "root ::= \"x\" root \"y\" | \"x\" root \"z\" | \"x\""), 0x78, 400))
        #expect(
            try feed(Grammar(gbnf: "root ::= a a a a\na ::= (\"x\" | \"xx\" | \"xxx\"){1,50}"), 0x78, 200))
        #expect(try feed(Grammar(gbnf: "root ::= ((\"x\"*)*)* (\"x\"{0,9}){0,9}"), 0x78, 500))
    }

    /// Nesting ends at a depth; texts with less of it go on.
    @Test func depthIsLimited() throws {
        let grammar = try Grammar(gbnf: "root ::= \"(\" root \")\" | \"x\"")
        #expect(try feed(grammar, 0x28, 400) && !feed(grammar, 0x28, 600))
        var state = try TestVocabulary.bytes.start(grammar)
        while try state.advance(0x28) {}
        #expect(try state.mask().allows(0x78) && state.mask().count == 1)
        // A rule that is last in its own needs no depth.
        #expect(try feed(Grammar(gbnf: "root ::= \"(\" root | \"x\""), 0x28, 100_000))
    }

    /// Stacks that do not share: an error instead of memory and time without end.
    @Test func complexityIsLimited() throws {
        let text = """
            root ::= p
            p ::= "x" p | "x" p "y" | "x" p "z" | "x" q "y"
            q ::= "x" r "y" | "x" r "z"
            \((0..<24).map { "r\($0 == 0 ? "" : "\($0)") ::= \"x\" r\($0 + 1) \"y\" | \"x\" r\($0 + 1) \"z\"" }.joined(separator: "\n"))
            r24 ::= "x" p "y" | "x" p "z" | "x"
            """
        let grammar = try Grammar(gbnf: text)
        #expect(try feed(grammar, 0x78, 500))
        let flat = (0..<3000).map { "a\($0) ::= [ab]{\($0),} \"c\"" }.joined(separator: "\n")
        let names = (0..<3000).map { "a\($0)" }.joined(separator: " | ")
        let wide = try Grammar(gbnf: "root ::= \(names)\n\(flat)")
        var state = try TestVocabulary((0..<4000).map { Array(repeating: 0x61, count: $0 + 1) }).start(wide)
        #expect(throws: GrammarError.tooComplex(what: "entries of stacks", limit: 2 << 20)) {
            _ = try state.mask()
        }
        // Single tokens are still matched.
        state.matcher.trim(keeping: &state)
        #expect(try state.advance(0))
    }

    @Test func sizesAreLimited() throws {
        #expect(throws: GrammarError.tooLarge(what: "bytes", limit: 4 << 20)) {
            try Grammar(gbnf: "root ::= \"a\" #" + String(repeating: "x", count: 4 << 20))
        }
        #expect(throws: GrammarError.tooLarge(what: "elements", limit: 1 << 20)) {
            try Grammar(gbnf: "root ::= \"" + String(repeating: "x", count: 2 << 20) + "\"")
        }
        let chain = (0..<20_000).map { "r\($0) ::= r\($0 + 1)" }.joined(separator: "\n")
        #expect(try Grammar(gbnf: "root ::= r0\n\(chain)\nr20000 ::= \"x\"").accepts("x"))
        // Huge counts take no room.
        #expect(try feed(Grammar(gbnf: "root ::= (\"x\"{0,1000000}){1000000}"), 0x78, 50))
    }

    @Test func schemasAreLimited() throws {
        // References in a chain, and schemas within schemas.
        var defs = JSONObject()
        for index in 0..<5000 { defs["d\(index)"] = ["$ref": .string("#/$defs/d\(index + 1)")] }
        defs["d5000"] = ["type": "null"]
        #expect(try Grammar(jsonSchema: ["$defs": .object(defs), "$ref": "#/$defs/d0"]).accepts("null"))
        var deep: JSONValue = ["type": "null"]
        for _ in 0..<300 { deep = ["type": "array", "items": deep, "minItems": 1] }
        let open = String(repeating: "[", count: 200)
        #expect(try Grammar(jsonSchema: deep).match(Array(open.utf8)).isPrefix)
        // Many references to the start of a long chain, all of one schema; many schemas that hold together; long keys.
        defs["all"] = ["anyOf": .array((0..<500).map { _ in ["$ref": "#/$defs/d0"] })]
        #expect(try Grammar(jsonSchema: ["$defs": .object(defs), "$ref": "#/$defs/all"]).accepts("null"))
        #expect(throws: GrammarError.tooLarge(what: "combinations of schemas", limit: 1024)) {
            try Grammar(jsonSchema: ["allOf": .array((0..<2000).map { ["items": ["minimum": .integer($0)]] })]
            )
        }
        let long = String(repeating: "k", count: 100_000)
        #expect(try Grammar(jsonSchema: ["properties": .object([long: true])]).accepts("{}"))
        #expect(
            throws: GrammarError.tooLarge(what: "characters in a key beside further properties", limit: 256)
        ) {
            try Grammar(jsonSchema: ["properties": .object([long: true]), "additionalProperties": true])
        }
        let names = (0..<200).map { "k\($0)" }
        let branches: [JSONValue] = (0..<200).map { branch in
            var properties = JSONObject(names.map { JSONObject.Member(key: $0, value: true) })
            properties["k0"] = ["const": .integer(Int64(branch))]
            return ["properties": .object(properties), "required": .array(names.map { .string($0) })]
        }
        #expect(throws: GrammarError.tooLarge(what: "comparisons of branches", limit: 4_000_000)) {
            try Grammar(jsonSchema: ["oneOf": .array(branches)])
        }
        #expect(try Grammar(jsonSchema: ["oneOf": .array(Array(branches.prefix(9)))]).match([0x7B]).isPrefix)
        // 3¹⁰ combinations.
        var factor: [JSONValue] = []
        for index in 0..<10 {
            factor.append([
                "anyOf": .array(
                    (0..<3).map { ["properties": .object(["k\(index)": ["const": .integer($0)]])] })
            ])
        }
        #expect(throws: GrammarError.tooLarge(what: "combinations of schemas", limit: 1024)) {
            try Grammar(jsonSchema: ["allOf": .array(factor)])
        }
    }
}
