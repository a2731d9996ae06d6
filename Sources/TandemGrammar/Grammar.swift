// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

/// What a generated text must look like.
///
/// ```swift
/// let answer = try Grammar(gbnf: #"root ::= "yes" | "no""#)
/// let person = try Grammar(jsonSchema: schema)
/// ```
///
/// Grammars are context-free, over the UTF-8 of the text. `Formats/grammar.md` says which GBNF and which JSON Schema are
/// understood. Left recursion is refused, as is a grammar that no finite text matches.
///
/// Thread safety: a value; copies share their tables.
public struct Grammar: Sendable {
    let rules: RuleSet
    package let tables: GrammarTables

    init(rules: RuleSet) throws(GrammarError) {
        self.rules = rules
        tables = try GrammarTables(rules)
    }

    /// A grammar in GBNF, as llama.cpp writes it; the text matches the rule `root`.
    ///
    /// - Throws: ``GrammarError`` with line and column.
    public init(gbnf text: String) throws(GrammarError) {
        var parser = try GBNFParser(text)
        try self.init(rules: parser.parse())
    }

    /// The JSON documents that are valid under a schema (in the forms that `Formats/grammar.md` lists).
    ///
    /// - Throws: ``GrammarError`` with a JSON pointer to what is wrong or cannot be enforced.
    public init(jsonSchema schema: JSONValue) throws(GrammarError) {
        var compiler = SchemaCompiler(root: schema)
        let rules = try compiler.rules()
        do {
            try self.init(rules: rules)
        } catch .leftRecursion(let cycle) {
            // Rules of schemas are named by pointers.
            throw .referenceCycle(pointer: cycle.first { $0.hasPrefix("#") } ?? "#")
        } catch .matchesNothing {
            throw .unsatisfiableSchema(pointer: "#")
        }
    }

    /// Exactly this text.
    public static func literal(_ text: String) throws(GrammarError) -> Grammar {
        var rules = RuleSet()
        rules.root = rules.add("literal", .text(text))
        return try Grammar(rules: rules)
    }

    /// One grammar's text after the other's.
    public static func sequence(_ parts: [Grammar]) throws(GrammarError) -> Grammar {
        try combined("sequence", parts) { .sequence($0) }
    }

    /// A text of any one of these grammars.
    /// - Throws: ``GrammarError/matchesNothing`` when there is none.
    public static func choice(_ parts: [Grammar]) throws(GrammarError) -> Grammar {
        try combined("choice", parts) { .choice($0) }
    }

    /// Between `least` and `most` texts of this grammar one after the other; without end when `most` is nil.
    public func repeated(least: Int, most: Int? = nil) throws(GrammarError) -> Grammar {
        let limit = GrammarLimits.repetitions
        guard (0...limit).contains(least), (least...max(limit, least)).contains(most ?? least) else {
            throw .tooLarge(what: "repetitions", limit: limit)
        }
        return try Self.combined("repeated", [self]) { .repeated($0[0], least: least, most: most) }
    }

    private static func combined(
        _ name: String, _ parts: [Grammar], _ make: ([Expression]) -> Expression
    ) throws(GrammarError) -> Grammar {
        var rules = RuleSet()
        let root = rules.add(name)
        rules.bodies[root] = make(parts.map { rules.add($0.rules) })
        rules.root = root
        return try Grammar(rules: rules)
    }

    /// Any JSON object.
    public static let json = builtIn("object")

    /// Any JSON value.
    public static let jsonValue = builtIn("value")

    /// A grammar that is known to be sound.
    private static func builtIn(_ name: String) -> Grammar {
        var compiler = SchemaCompiler(root: .bool(true))
        let rules = compiler.rules(ofBuiltIn: name)
        return Grammar(rules: rules, tables: GrammarTables(sound: rules))
    }

    private init(rules: RuleSet, tables: GrammarTables) {
        self.rules = rules
        self.tables = tables
    }
}

extension Grammar: Equatable {
    /// Whether two grammars have the same rules in the same order.
    public static func == (first: Grammar, second: Grammar) -> Bool {
        first.tables === second.tables || first.rules == second.rules
    }
}
