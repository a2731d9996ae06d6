// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Tandem
import TandemJSON
import TandemTokenizer

/// `tandem chat`: a conversation on the terminal.
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk with a model.",
        discussion: """
            The conversation follows the model's chat template; what the model has seen of it is not run again. On a \
            terminal the line can be edited and earlier lines come back with the arrow keys; a line that ends with a \
            backslash goes on in the next, and \"\"\" begins and ends a text of several lines. /help lists the commands; \
            a message that begins with a slash is typed with two. Ctrl-C stops an answer; without one, twice leaves.

            Without a terminal every line is a message, and only the answers go to standard output:

              printf 'Hello\\nAnd now?\\n' | tandem chat -m model.tandem --quiet
            """)

    @Option(name: [.customShort("m"), .long], help: "The .tandem file.")
    var model: String

    @Option(
        name: [.customLong("sys", withSingleDash: true), .customLong("system-prompt")],
        help: "What the model is told before the conversation.")
    var systemPrompt: String?

    @Option(name: .shortAndLong, help: "The first message.")
    var prompt: String?

    @Option(name: .shortAndLong, help: "Read the first message from a file.")
    var file: String?

    @Option(
        help: "A Jinja chat template, or a tokenizer_config.json with one, to use instead of the model's own."
    )
    var template: String?

    @Option(help: "A file with a JSON list of the functions that the model may call.")
    var tools: String?

    @Option(name: .customLong("set"), help: "A variable of the template, such as enable_thinking=false.")
    var variables: [String] = []

    @OptionGroup var generation: GenerationFlags

    @Flag(name: .shortAndLong, help: "Print nothing but answers.")
    var quiet = false

    @Flag(help: "Print figures after every answer.")
    var verbose = false

    func validate() throws {
        if prompt != nil && file != nil {
            throw ValidationError("give the first message with either -p or -f")
        }
    }

    func run() throws {
        try reportingErrors(file: model) {
            // Before any thread starts: they all inherit that the signals wait for the one that takes them.
            let interrupt = ChatInterrupt()
            let first = try prompt ?? file.map(readPrompt)
            let seed = generation.sampling.firstSeed()
            // What is wrong with them is said before the model is loaded.
            _ = try generation.parameters(seed: seed)
            let sessionOptions = try generation.sessionOptions()
            let model = try TandemModel.load(
                from: self.model, options: try generation.loadOptions(session: sessionOptions))
            let chat = try makeChat(model, options: sessionOptions)
            let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
            var loop = ChatLoop(
                chat: chat, flags: generation, seed: seed,
                input: ChatInput(isTerminal: isTerminal, interrupt: interrupt),
                interrupt: interrupt, quiet: quiet, verbose: verbose)
            try loop.run(first: first)
        }
    }

    private func makeChat(_ model: TandemModel, options: SessionOptions) throws -> ChatSession {
        var templates: ChatTemplates?
        if let template {
            let source = try ChatTemplateSource(path: template)
            var variables = model.templateVariables
            for member in source.variables.members { variables[member.key] = member.value }
            templates = ChatTemplates(
                plain: source.template(forTools: false), forTools: source.template(forTools: true),
                variables: variables)
        }
        var variables = JSONObject()
        for variable in self.variables {
            let (name, value) = try templateVariable(variable)
            variables[name] = value
        }
        return try ChatSession(
            model: model, templates: templates, instructions: systemPrompt,
            tools: try tools.map(ConversationFile.list), variables: variables,
            options: options)
    }
}
