// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import TandemJSON
import Testing

@Suite struct SchemaTests {
    /// A schema, documents that match its grammar, and documents that do not.
    static let cases: [(schema: String, matches: [String], others: [String])] = [
        (
            "true", ["1", "[{}]", "\"a\"", "{\"a\": [1, null]}"],
            ["", "{,}", "[1,]", " 1", "1 ", "01", "\"\n\""]
        ),
        (
            "{}", ["-0.5e+10", "\"\\ud83d\\ude00\\n\"", "{\n  \"a\":1\n}"],
            ["\"\\ud83d\"", "\"\\q\"", ".5", "+1"]
        ),
        (#"{"type": "null"}"#, ["null"], ["nul", "0"]),
        (#"{"type": ["boolean", "null"]}"#, ["true", "false", "null"], ["1"]),
        (#"{"type": "string", "nullable": true}"#, ["null", "\"\""], ["true"]),
        (#"{"const": {"a": [1, "x\n"]}}"#, [#"{"a":[1,"x\n"]}"#, #"{"a": [1, "x\n"]}"#], [#"{"a":[1]}"#]),
        (
            #"{"enum": ["a", 1.0, null, false], "type": ["string", "integer"]}"#, ["\"a\"", "1"],
            ["null", "1.0"]
        ),
        (#"{"enum": [1, 5, 9, "no"], "minimum": 2, "exclusiveMaximum": 9}"#, ["5", "\"no\""], ["1", "9"]),
        (
            #"{"type": "string", "minLength": 2, "maxLength": 3}"#, ["\"ab\"", "\"é😀\"", #""\n\u00e9a""#],
            ["\"a\"", "\"abcd\""]
        ),
        (
            #"{"type": "string", "pattern": "^a+[0-9]{2}$"}"#, ["\"a12\"", "\"aaa00\""],
            ["\"12\"", "\"a1\"", "\"a123\""]
        ),
        (#"{"type": "string", "pattern": "b\\d"}"#, ["\"b1\"", "\"xb1y\""], ["\"b\""]),
        (#"{"type": "string", "pattern": "^a|b$"}"#, ["\"ax\"", "\"xb\""], ["\"x\""]),
        (
            #"{"type": "string", "pattern": "^(x|y.)?\\w\\s\\\\[^a\"]$"}"#, [#""xq \\b""#, #""yéq\t\\b""#],
            [#""q \\a""#]
        ),
        (
            #"{"type": "string", "pattern": "^[\\u0041-C\\x30\\]-]{1,2}?$", "maxLength": 2}"#,
            ["\"B]\"", "\"-0\""], ["\"D\""]
        ),
        (#"{"type": "string", "pattern": "^\"\\n\u0001$"}"#, [#""\"\n\u0001""#], ["\"\"\n\""]),
        (#"{"type": "array"}"#, ["[]", "[1, [2]]"], ["{}", "["]),
        (
            #"{"items": {"type": "integer"}, "minItems": 1, "maxItems": 3}"#, ["[1]", "[1,2,3]"],
            ["[]", "[1,2,3,4]", "[\"a\"]"]
        ),
        (#"{"type": "array", "maxItems": 0}"#, ["[]", "[ ]"], ["[1]"]),
        (#"{"items": false}"#, ["[]"], ["[1]"]),
        (
            #"{"prefixItems": [{"type": "integer"}, {"type": "string"}]}"#, ["[]", "[1]", "[1,\"a\"]"],
            ["[\"a\"]", "[1,\"a\",2]"]
        ),
        (
            #"{"prefixItems": [{"const": 1}, {"const": 2}], "items": {"const": 3}, "minItems": 1, "maxItems": 4}"#,
            ["[1]", "[1,2]", "[1,2,3]", "[1,2,3,3]"], ["[]", "[1,3]", "[1,2,3,3,3]"]
        ),
        (
            #"{"prefixItems": [{"const": 1}], "minItems": 3, "maxItems": 3}"#, ["[1,null,{}]"],
            ["[1]", "[1,2,3,4]"]
        ),
        (
            #"{"items": [{"const": 1}, {"const": 2}], "additionalItems": {"const": 3}, "maxItems": 1}"#,
            ["[]", "[1]"], ["[1,2]"]
        ),
        (#"{"type": "object"}"#, ["{}", #"{"a": {"b": 1}}"#], ["[]"]),
        (
            #"{"properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "required": ["b"]}"#,
            [#"{"b":2}"#, #"{"a": 1, "b": 2}"#, #"{"b":2,"c":3}"#, #"{"a":1,"b":2,"c":3}"#],
            ["{}", #"{"a":1}"#, #"{"b":2,"a":1}"#, #"{"b":2,}"#, #"{"b":2,"d":4}"#]
        ),
        (
            #"{"properties": {"a\"é": true}, "additionalProperties": false}"#, ["{}", #"{"a\"é":0}"#],
            [#"{"x":0}"#]
        ),
        (
            #"{"type": "object", "additionalProperties": {"type": "integer"}}"#, ["{}", #"{"x":1,"y":2}"#],
            [#"{"x":"1"}"#]
        ),
        (
            #"{"properties": {"ab": {"const": 1}, "ac": {"const": 1}}, "additionalProperties": {"const": 2}}"#,
            [#"{"ab":1,"a":2}"#, #"{"abc":2,"ad":2,"b":2}"#, #"{"ab":1,"b\n\u00e9":2}"#],
            [#"{"ab":2}"#, #"{"ac":2}"#, #"{"\u0061b":2}"#, #"{"":2}"#]
        ),
        (
            #"{"required": ["k"], "additionalProperties": {"type": "null"}}"#,
            [#"{"k":null}"#, #"{"k":null,"l":null}"#], ["{}", #"{"l":null}"#]
        ),
        (
            #"{"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]}"#, ["1", "\"a\""],
            ["\"ab\"", "null"]
        ),
        (
            #"{"type": "object", "properties": {"t": true}, "anyOf": [{"required": ["t"]}, {"properties": {"u": true}, "required": ["u"]}]}"#,
            [#"{"t":1}"#, #"{"t":1,"u":2}"#, #"{"u":2}"#], ["{}"]
        ),
        (
            #"{"oneOf": [{"properties": {"k": {"const": "a"}, "v": {"type": "integer"}}, "required": ["k", "v"]},"#
                + #"{"properties": {"k": {"const": "b"}}, "required": ["k"]}]}"#,
            [#"{"k":"a","v":1}"#, #"{"k":"b"}"#], [#"{"k":"a"}"#]
        ),
        (
            #"{"oneOf": [{"properties": {"a": true}, "required": ["a"]}, {"properties": {"b": true}, "required": ["b"]}]}"#,
            [#"{"a":1}"#, #"{"b":1}"#], [#"{"a":1,"b":1}"#]
        ),
        (
            #"{"allOf": [{"properties": {"a": {"type": "number"}}, "required": ["a"]}, {"properties": {"a": {"maximum": 3}, "b": true}}]}"#,
            [#"{"a":2.5}"#, #"{"a":3,"b":null}"#], [#"{"a":4}"#, #"{"b":1}"#]
        ),
        (
            #"{"allOf": [{"properties": {"a": true}, "additionalProperties": false}, {"properties": {"b": true}}]}"#,
            ["{}", #"{"a":1}"#], [#"{"b":1}"#]
        ),
        (
            #"{"allOf": [{"type": ["integer", "string"]}, {"type": "number", "minimum": 5}], "maximum": 6}"#,
            ["5", "6"], ["5.5", "\"a\"", "7"]
        ),
        (
            ##"{"$defs": {"n": {"properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}]}}, "required": ["v", "next"]}}, "$ref": "#/$defs/n"}"##,
            [#"{"v":1,"next":null}"#, #"{"v":1,"next":{"v":2,"next":null}}"#], [#"{"v":1}"#]
        ),
        (##"{"items": {"$ref": "#"}, "type": "array"}"##, ["[]", "[[],[[]]]"], ["[1]"]),
        (
            ##"{"definitions": {"a/b~ %": {"const": 1}}, "items": {"$ref": "#/definitions/a~1b~0%20%25", "title": "t"}}"##,
            ["[1]"], ["[2]"]
        ),
        (
            ##"{"$defs": {"a": {"properties": {"c": {"$ref": "#/$defs/a"}}}, "b": {"properties": {"c": {"$ref": "#/$defs/b"}, "d": true}}},"##
                + ##""allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}"##, [#"{"c":{"c":{"d":1}}}"#],
            [#"{"e":1}"#]
        ),
        (#"{"$comment": "x", "title": "y", "default": 3, "const": 1, "x-thing": {}}"#, ["1"], ["3"]),
        (
            #"{"type": "object", "properties": {"a": false, "b": {"const": 1}}}"#, ["{}", #"{"b":1}"#],
            [#"{"a":1}"#]
        ),
        (
            #"{"oneOf": [{"properties": {"a": true}, "required": ["a"], "additionalProperties": false}, {"properties": {"b": true}, "required": ["b"], "maxProperties": 1, "additionalProperties": false}]}"#,
            [#"{"a":1}"#, #"{"b":1}"#], [#"{"a":1,"b":1}"#, "{}"]
        ),
        (
            #"{"properties": {"é": {"const": 1}, "e\u0301": {"const": 2}}, "required": ["e\u0301"]}"#,
            ["{\"e\u{301}\":2}", "{\"é\":1,\"e\u{301}\":2}"], [#"{"é":1}"#, #"{"é":2}"#]
        ),
        (#"{"minimum": 3}"#, ["3", "3.5"], ["2.9", "\"a\""]),
    ]

    @Test(arguments: 0..<45)
    func constructs(_ index: Int) throws {
        let (text, matches, others) = Self.cases[index]
        let grammar = try Grammar(schema: text)
        for text in matches { #expect(try grammar.accepts(text), "\(text)") }
        for text in others { #expect(try !grammar.accepts(text), "\(text)") }
    }

    @Test func builtIns() throws {
        for text in ["{}", #"{"a":[1,2.5e3,{"b":"\u00e9\\"}],"c":null}"#] {
            #expect(try Grammar.json.accepts(text) && Grammar.jsonValue.accepts(text))
        }
        #expect(try !Grammar.json.accepts("[]") && Grammar.jsonValue.accepts("[]"))
        // White space has an end.
        #expect(try !Grammar.json.match(Array("{  ".utf8)).isPrefix)
        #expect(try !Grammar.json.match(Array(("{\n" + String(repeating: " ", count: 41)).utf8)).isPrefix)
    }

    static let refusals: [(schema: String, error: GrammarError)] = [
        ("3", .invalidSchema(pointer: "#", problem: "a schema must be an object or a boolean")),
        ("false", .unsatisfiableSchema(pointer: "#")),
        (
            #"{"type": "text"}"#,
            .invalidSchema(
                pointer: "#/type",
                problem: "must be one or several of object, array, string, number, integer, boolean, null")
        ),
        (
            #"{"properties": {"a/b": {"not": {}}}}"#,
            .unsupportedSchema(pointer: "#/properties/a~1b/not", problem: "'not' cannot be enforced")
        ),
        (
            #"{"items": {"uniqueItems": true}}"#,
            .unsupportedSchema(pointer: "#/items/uniqueItems", problem: "'uniqueItems' cannot be enforced")
        ),
        (#"{"if": {}, "then": {}}"#, .unsupportedSchema(pointer: "#/if", problem: "'if' cannot be enforced")),
        (
            #"{"patternProperties": {}}"#,
            .unsupportedSchema(
                pointer: "#/patternProperties", problem: "'patternProperties' cannot be enforced")
        ),
        (
            #"{"minLength": -1}"#,
            .invalidSchema(pointer: "#/minLength", problem: "must be a whole number, 0 or greater")
        ),
        (
            #"{"maxItems": 2e6}"#,
            .unsupportedSchema(pointer: "#/maxItems", problem: "must be at most 1000000")
        ),
        (#"{"anyOf": []}"#, .invalidSchema(pointer: "#/anyOf", problem: "must hold at least one schema")),
        (#"{"enum": 1}"#, .invalidSchema(pointer: "#/enum", problem: "must be an array")),
        (
            #"{"required": [1]}"#,
            .invalidSchema(pointer: "#/required", problem: "must be an array of strings")
        ),
        (#"{"properties": []}"#, .invalidSchema(pointer: "#/properties", problem: "must be an object")),
        (
            ##"{"items": {"$ref": "#/$defs/x"}}"##,
            .invalidSchema(pointer: "#/items/$ref", problem: "the reference '#/$defs/x' leads nowhere")
        ),
        (
            ##"{"$ref": "http://example.org/s"}"##,
            .unsupportedSchema(
                pointer: "#/$ref",
                problem: "the reference 'http://example.org/s' does not point into this schema ('#/…')")
        ),
        (##"{"$ref": "#"}"##, .referenceCycle(pointer: "#")),
        (
            ##"{"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}}, "$ref": "#/$defs/a"}"##,
            .referenceCycle(pointer: "#/$defs/a")
        ),
        (##"{"properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##, .unsatisfiableSchema(pointer: "#")),
        (#"{"type": "string", "const": 1}"#, .unsatisfiableSchema(pointer: "#")),
        (#"{"type": "integer", "minimum": 3, "exclusiveMaximum": 3}"#, .unsatisfiableSchema(pointer: "#")),
        (
            #"{"oneOf": [{"type": "integer"}, {"type": "number"}]}"#,
            .unsupportedSchema(
                pointer: "#/oneOf",
                problem:
                    "branches 0 and 1 may overlap; use 'anyOf', or tell them apart by type or by a required property"
            )
        ),
        (
            #"{"pattern": "(?=a)"}"#,
            .unsupportedSchema(
                pointer: "#/pattern",
                problem: "pattern, character 3: looking ahead or behind cannot be enforced")
        ),
        (
            #"{"pattern": "a\\1"}"#,
            .unsupportedSchema(
                pointer: "#/pattern", problem: "pattern, character 3: '\\1' cannot be enforced")
        ),
        (
            #"{"pattern": "a(^b)"}"#,
            .unsupportedSchema(
                pointer: "#/pattern", problem: "pattern, character 4: '^' within a pattern cannot be enforced"
            )
        ),
        (
            #"{"pattern": "[a"}"#,
            .invalidSchema(pointer: "#/pattern", problem: "pattern, character 3: a class is not closed")
        ),
        (
            #"{"pattern": "a)"}"#,
            .invalidSchema(pointer: "#/pattern", problem: "pattern, character 2: ')' closes no group")
        ),
        (
            #"{"pattern": "a+", "maxLength": 3}"#,
            .unsupportedSchema(
                pointer: "#/pattern",
                problem:
                    "the pattern or format allows lengths that 'minLength' and 'maxLength' do not; put the lengths into the pattern"
            )
        ),
        (
            #"{"format": "iban"}"#,
            .unsupportedSchema(
                pointer: "#/format",
                problem:
                    "the format 'iban' cannot be enforced; known are date, time, date-time, duration, email, hostname, ipv4, ipv6, uri, uuid"
            )
        ),
        (
            #"{"type": "number", "multipleOf": 0.5}"#,
            .unsupportedSchema(
                pointer: "#/multipleOf",
                problem: "'multipleOf' cannot be enforced, but for integers that are multiples of 1")
        ),
        (
            #"{"type": "integer", "maximum": 1e30}"#,
            .unsupportedSchema(pointer: "#/maximum", problem: "the bound does not fit 64 bits")
        ),
        (
            #"{"type": "object", "minProperties": 1}"#,
            .unsupportedSchema(
                pointer: "#/minProperties", problem: "more properties than are required cannot be enforced")
        ),
    ]

    @Test(arguments: 0..<31)
    func refuses(_ index: Int) {
        #expect(throws: Self.refusals[index].error) { try Grammar(schema: Self.refusals[index].schema) }
    }

    @Test func lists() {
        #expect(Self.cases.count == 45 && Self.refusals.count == 31)
        #expect(GBNFTests.cases.count == 20 && GBNFTests.refusals.count == 27)
    }
}
