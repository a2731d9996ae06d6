// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TandemGrammar
import TandemJSON

/// What the text must look like, named as llama.cpp names it.
struct GrammarFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The text must match this grammar (GBNF).", valueName: "text"))
    var grammar: String?

    @Option(
        help: ArgumentHelp("The text must match the grammar in this file (GBNF).", valueName: "path"),
        completion: .file())
    var grammarFile: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The text must be JSON that is valid under this JSON Schema; '@path' reads it from a file.",
            valueName: "schema"))
    var jsonSchema: String?

    @Flag(help: "The text must be a JSON object.")
    var jsonObject = false

    func validate() throws {
        let given = [grammar != nil, grammarFile != nil, jsonSchema != nil, jsonObject].count { $0 }
        if given > 1 {
            throw ValidationError("give one of --grammar, --grammar-file, --json-schema and --json-object")
        }
    }

    /// The grammar that was asked for.
    /// - Throws: ``GrammarError``, and ``GrammarFlagError`` for what is not JSON.
    func value() throws -> Grammar? {
        if jsonObject { return .json }
        if let grammar { return try Grammar(gbnf: grammar) }
        if let grammarFile { return try Grammar(gbnf: try readPrompt(grammarFile)) }
        guard let jsonSchema else { return nil }
        let text = jsonSchema.hasPrefix("@") ? try readPrompt(String(jsonSchema.dropFirst())) : jsonSchema
        let schema: JSONValue
        do {
            schema = try JSONValue(parsing: Array(text.utf8))
        } catch {
            throw GrammarFlagError.notJSON(error)
        }
        return try Grammar(jsonSchema: schema)
    }
}

/// What can be wrong with the flags.
enum GrammarFlagError: Error, CustomStringConvertible {
    case notJSON(JSONError)

    var description: String {
        switch self {
        case .notJSON(let error): "--json-schema is not JSON: \(error)"
        }
    }
}
