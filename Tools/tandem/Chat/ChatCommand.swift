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

    @Option(
        name: [.customShort("n"), .customLong("predict"), .customLong("max-tokens")],
        help: "Tokens of an answer at most; -1 = until the context is full.")
    var predict = -1

    @Option(name: [.customShort("c"), .long], help: "Context size in tokens; 0 = the model's own.")
    var ctxSize = 0

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @Option(help: "How to decode: speed, tandem, primary or secondary.")
    var decode: DecodingMode?

    @OptionGroup(title: "Drafting") var drafting: DraftFlags

    @OptionGroup(title: "Sampling") var sampling: SamplingFlags

    @OptionGroup var cache: CacheFlags

    @OptionGroup var memory: MemoryFlags

    @Option(name: .long, help: "End an answer before this text (may be repeated).")
    var stop: [String] = []

    @Flag(help: "Go on after an end token.")
    var ignoreEos = false

    @Flag(help: "Skip the checksums of the weights when loading.")
    var noVerify = false

    @Flag(name: .shortAndLong, help: "Print nothing but answers.")
    var quiet = false

    @Flag(help: "Print figures after every answer.")
    var verbose = false

    func validate() throws {
        if prompt != nil && file != nil {
            throw ValidationError("give the first message with either -p or -f")
        }
        if predict < -1 { throw ValidationError("-n must be -1 or greater") }
        if ctxSize < 0 || threads < 0 { throw ValidationError("-c and -t must be 0 or greater") }
    }

    func run() throws {
        try reportingErrors(file: model) {
            // Before any thread starts: they all inherit that the signals wait for the one that takes them.
            let interrupt = ChatInterrupt()
            let first = try prompt ?? file.map(readPrompt)
            let parameters = try generateParameters()
            let model = try TandemModel.load(
                from: self.model,
                options: LoadOptions(
                    threadCount: threads == 0 ? nil : threads, verification: noVerify ? .structure : .full,
                    memory: memory.memory, session: sessionOptions()))
            let chat = try makeChat(model)
            let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
            var loop = ChatLoop(
                chat: chat, parameters: parameters,
                input: ChatInput(isTerminal: isTerminal, interrupt: interrupt),
                interrupt: interrupt, quiet: quiet, verbose: verbose)
            try loop.run(first: first)
        }
    }

    private func makeChat(_ model: TandemModel) throws -> ChatSession {
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
            options: sessionOptions())
    }

    private func sessionOptions() throws -> SessionOptions {
        try SessionOptions(
            contextSize: ctxSize == 0 ? nil : ctxSize, maxDraft: drafting.limit, keyValueType: cache.type())
    }

    private func generateParameters() throws -> GenerateParameters {
        try GenerateParameters(
            maxTokens: predict < 0 ? nil : predict, mode: decode, draftMax: drafting.most,
            draftMin: drafting.draftMin, promptLookup: drafting.lookup, sampling: try sampling.parameters(),
            stop: stop, ignoreEndTokens: ignoreEos)
    }
}
