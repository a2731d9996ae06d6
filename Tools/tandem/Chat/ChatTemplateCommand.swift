// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Tandem
import TandemFormat
import TandemJSON
import TandemTokenizer

/// `tandem template`: what a chat template makes of a conversation.
struct ChatTemplateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Render a conversation with a chat template.",
        discussion: """
            The template is a model's (a .tandem file), a checkpoint's (tokenizer_config.json), or a Jinja file. The \
            text goes to standard output exactly as the model would see it. With --batch, every line of a file is a \
            JSON object with 'template', 'messages' and, if wanted, 'tools', 'documents', 'variables', \
            'add_generation_prompt', 'continue_final_message' and 'time' (2024-07-26T13:05:09); every line of the \
            output is one with 'text' or 'error'.
            """)

    @Option(
        name: [.customShort("m"), .long], help: "A .tandem file, a tokenizer_config.json, or a Jinja file.")
    var model: String?

    @Option(help: "The conversation: a JSON list of messages; '-' is standard input.")
    var messages: String?

    @Option(help: "A JSON list of the functions that the model may call.")
    var tools: String?

    @Option(
        name: .customLong("set"), help: "A variable, as name=value; values that are JSON are taken as such.")
    var variables: [String] = []

    @Flag(help: "End with what makes the model answer.")
    var addGenerationPrompt = false

    @Flag(help: "End inside the last message.")
    var continueFinalMessage = false

    @Flag(help: "Print the token ids instead of the text (with a .tandem file).")
    var ids = false

    @Option(help: "Render every line of a file of JSON objects; '-' is standard input.")
    var batch: String?

    func validate() throws {
        if batch != nil {
            if model != nil || messages != nil { throw ValidationError("--batch stands alone") }
        } else if model == nil || messages == nil {
            throw ValidationError("give the template with -m and the conversation with --messages")
        }
    }

    func run() throws {
        try reportingErrors(file: model) {
            if let batch { return try renderBatch(batch) }
            let source = try ChatTemplateSource(path: model ?? "")
            let conversation = try ConversationFile.messages(path: messages ?? "-")
            var request = ChatRequest(
                messages: conversation, addsGenerationPrompt: addGenerationPrompt,
                continuesFinalMessage: continueFinalMessage, variables: source.variables,
                time: LocalTime.now())
            if let tools { request.tools = try ConversationFile.list(path: tools) }
            for variable in variables {
                let (name, value) = try templateVariable(variable)
                request.variables[name] = value
            }
            let prompt = try source.template(forTools: request.tools != nil).prompt(request)
            guard ids else { return StandardOutput.write(prompt.text) }
            guard let tokenizer = source.tokenizer else {
                throw ValidationError("--ids needs a .tandem file with a tokenizer")
            }
            StandardOutput.write(tokenizer.encode(prompt).map(String.init).joined(separator: " ") + "\n")
        }
    }

    // MARK: - Many at once

    private func renderBatch(_ path: String) throws {
        var templates: [String: ChatTemplate] = [:]
        for line in try readPrompt(path).split(separator: "\n") {
            let result: JSONValue
            do {
                let object = try JSONValue(parsing: Array(line.utf8))
                result = ["text": .string(try render(object, &templates))]
            } catch {
                result = ["error": .string("\(error)")]
            }
            StandardOutput.write(result.serialized() + "\n")
        }
    }

    private func render(_ object: JSONValue, _ templates: inout [String: ChatTemplate]) throws -> String {
        guard let source = object["template"]?.stringValue, let list = object["messages"]?.arrayValue else {
            throw TemplateError.invalidInput(reason: "a line needs 'template' and 'messages'")
        }
        let template = try templates[source] ?? ChatTemplate(source: source)
        if templates.count > 64 { templates.removeAll() }
        templates[source] = template
        let request = ChatRequest(
            messages: try list.map { try ChatMessage(json: $0) }, tools: object["tools"]?.arrayValue,
            documents: object["documents"]?.arrayValue,
            addsGenerationPrompt: object["add_generation_prompt"]?.boolValue ?? false,
            continuesFinalMessage: object["continue_final_message"]?.boolValue ?? false,
            variables: object["variables"]?.objectValue ?? JSONObject(),
            time: try object["time"]?.stringValue.map(localTime) ?? LocalTime.now())
        return try template.render(request)
    }

    /// `2024-07-26T13:05:09`
    private func localTime(_ text: String) throws -> LocalTime {
        let parts = text.split { "-T:".contains($0) }.compactMap { Int($0) }
        guard parts.count == 6 else { throw TemplateError.invalidInput(reason: "'\(text)' is no time") }
        return try LocalTime(
            year: parts[0], month: parts[1], day: parts[2], hour: parts[3], minute: parts[4], second: parts[5]
        )
    }
}

/// A variable of a template as it is typed: `name=value`.
func templateVariable(_ text: String) throws -> (name: String, value: JSONValue) {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw ValidationError("'\(text)' is not of the form name=value")
    }
    let value = String(text[text.index(after: equals)...])
    let parsed = try? JSONValue(parsing: Array(value.utf8))
    return (String(text[..<equals]), parsed ?? .string(value))
}
