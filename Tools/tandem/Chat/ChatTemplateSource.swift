// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemFormat
import TandemJSON
import TandemTokenizer

/// A chat template from wherever the user has it, with the variables that belong to it.
struct ChatTemplateSource {
    private let plain: ChatTemplate
    private let forTools: ChatTemplate?
    /// The texts of the special tokens.
    let variables: JSONObject
    let tokenizer: Tokenizer?

    func template(forTools wantsTools: Bool) -> ChatTemplate { wantsTools ? forTools ?? plain : plain }

    /// Reads a `.tandem` file, or, by their names, a `.json` file with a chat template or a `.jinja` file.
    init(path: String) throws {
        guard [".json", ".jinja", ".jinja2", ".j2"].contains(where: path.hasSuffix) else {
            let model = try TandemModel.load(
                from: path, options: LoadOptions(threadCount: 1, verification: .structure))
            guard let templates = try model.chatTemplates else { throw TandemError.noChatTemplate }
            plain = templates.plain
            forTools = templates.forTools
            variables = templates.variables
            tokenizer = model.tokenizer
            return
        }
        tokenizer = nil
        let text = try readPrompt(path)
        guard path.hasSuffix(".json") else {
            plain = try ChatTemplate(source: text)
            forTools = nil
            variables = JSONObject()
            return
        }
        let config = try JSONValue(parsing: Array(text.utf8))
        var named: [String: String] = [:]
        for element in config["chat_template"]?.arrayValue ?? [] {
            if let name = element["name"]?.stringValue { named[name] = element["template"]?.stringValue }
        }
        guard let source = config["chat_template"]?.stringValue ?? named["default"] else {
            throw TemplateError.invalidInput(reason: "'\(path)' has no chat_template")
        }
        plain = try ChatTemplate(source: source)
        forTools = try named["tool_use"].map { try ChatTemplate(source: $0) }
        var variables = JSONObject()
        for name in ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map({ $0 + "_token" }) {
            if let token = config[name]?.stringValue ?? config[name]?["content"]?.stringValue {
                variables[name] = .string(token)
            }
        }
        self.variables = variables
    }
}

/// JSON files that hold conversations.
enum ConversationFile {
    static func messages(path: String) throws -> [ChatMessage] {
        try list(path: path).map { try ChatMessage(json: $0) }
    }

    static func list(path: String) throws -> [JSONValue] {
        let value = try JSONValue(parsing: Array(try readPrompt(path).utf8))
        if let list = value.arrayValue ?? value["messages"]?.arrayValue { return list }
        throw TemplateError.invalidInput(reason: "'\(path)' holds no list")
    }
}
