// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import TandemJSON

/// The functions that a request offers, and whether one must be called.
struct ToolFields: Sendable {
    enum Choice: Sendable, Equatable {
        /// The model is not told of any.
        case none
        /// The model decides.
        case auto
        /// One of them must be called.
        case required
        /// This one must be called.
        case function(String)
    }

    /// Descriptions, as the chat template gets them; nil when there are none.
    let tools: [JSONValue]?
    let choice: Choice
    private let functions: [(name: String, parameters: JSONValue?)]

    init(_ fields: Fields) throws(APIError) {
        for name in ["functions", "function_call"] where fields[name] != nil {
            throw .unsupported(name, "'\(name)' is no longer supported; use 'tools' and 'tool_choice'")
        }
        let tools = try fields.array("tools") ?? []
        guard tools.count <= 128 else { throw fields.error("tools", "an array of at most 128 functions") }
        functions = try tools.enumerated().map { (index, tool) throws(APIError) in
            try Self.function(tool, "tools.\(index)")
        }
        choice = try Self.choice(fields, functions.map(\.name))
        self.tools = tools.isEmpty || choice == .none ? nil : tools
    }

    /// Whether the answer must be a call.
    var isForced: Bool {
        switch choice {
        case .none, .auto: false
        case .required, .function: true
        }
    }

    /// What a forced call looks like in a model's format; nil where none is forced.
    /// - Throws: 400 when the parameters' schema is wrong or not supported.
    func forcedGrammar(_ format: ToolFormat) throws(APIError) -> Grammar? {
        guard isForced else { return nil }
        var calls: [Grammar] = []
        for function in functions {
            if case .function(let name) = choice, function.name != name { continue }
            let schema: JSONValue = [
                "type": "object",
                "properties": .object([
                    "name": ["const": .string(function.name)],
                    format.argumentsName: function.parameters ?? ["type": "object"],
                ]),
                "required": ["name", .string(format.argumentsName)], "additionalProperties": false,
            ]
            do {
                calls.append(try Grammar(jsonSchema: schema))
            } catch {
                throw .invalid(
                    "the function '\(function.name)': \(error.description)", param: "tools",
                    code: "invalid_schema")
            }
        }
        do {
            let call = try Grammar.choice(calls)
            guard let (start, end) = format.envelope else { return call }
            return try Grammar.sequence([.literal(start), call, .literal(end)])
        } catch {
            throw .invalid(error.description, param: "tools", code: "invalid_schema")
        }
    }

    private static func function(_ tool: JSONValue, _ path: String) throws(APIError) -> (String, JSONValue?) {
        guard case .object(let object) = tool else {
            throw .invalid("'\(path)' must be an object", param: path)
        }
        let fields = Fields(object, path: path + ".")
        guard try fields.string("type") == "function" else { throw fields.error("type", "'function'") }
        guard let function = try fields.object("function") else {
            throw fields.error("function", "an object with a name")
        }
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
        guard let name = try function.string("name"), (1...64).contains(name.count),
            name.allSatisfy({ letters.contains($0) })
        else {
            throw function.error("name", "1 to 64 letters, digits, underscores, dots or dashes")
        }
        return (name, try function.object("parameters").map { .object($0.object) })
    }

    private static func choice(_ fields: Fields, _ names: [String]) throws(APIError) -> Choice {
        guard let value = fields["tool_choice"] else { return names.isEmpty ? .none : .auto }
        if let word = value.stringValue {
            switch word {
            case "none": return .none
            case "auto": return names.isEmpty ? .none : .auto
            case "required" where !names.isEmpty: return .required
            default: break
            }
        } else if let function = try fields.object("tool_choice")?.object("function"),
            let name = try function.string("name")
        {
            guard names.contains(name) else {
                throw .invalid(
                    "'tool_choice' names the function '\(name)', which is not among the tools",
                    param: "tool_choice")
            }
            return .function(name)
        }
        throw fields.error(
            "tool_choice", "'none', 'auto', 'required' or a function of 'tools' (which must not be empty)")
    }
}
