// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Tandem
import TandemJSON
import TandemTokenizer

/// Reads messages and commands, prints answers.
struct ChatLoop {
    let chat: ChatSession
    let flags: GenerationFlags
    /// Of the first turn.
    let seed: UInt64
    var input: ChatInput
    let interrupt: ChatInterrupt
    let quiet: Bool
    let verbose: Bool
    private var turns: UInt64 = 0
    private var last: GenerationResult?
    private var hasFailed = false

    init(
        chat: ChatSession, flags: GenerationFlags, seed: UInt64, input: ChatInput, interrupt: ChatInterrupt,
        quiet: Bool, verbose: Bool
    ) {
        self.chat = chat
        self.flags = flags
        self.seed = seed
        self.input = input
        self.interrupt = interrupt
        self.quiet = quiet
        self.verbose = verbose
    }

    /// Goes on until the input ends. Without a terminal a turn that fails makes the whole command fail.
    mutating func run(first: String?) throws {
        if input.isTerminal, !quiet { StandardError.write("Type a message, or /help. Ctrl-D leaves.\n") }
        if let first {
            if input.isTerminal, !quiet { StandardOutput.write("> \(first)\n") }
            ask { try $0.respond(to: first, parameters: $1, cancellation: $2, onDelta: $3) }
        }
        while let line = try input.message() {
            if line.hasPrefix("/"), !line.hasPrefix("//") {
                guard try run(command: line) else { break }
            } else {
                let text = line.hasPrefix("//") ? String(line.dropFirst()) : line
                if text.isEmpty { continue }
                ask { try $0.respond(to: text, parameters: $1, cancellation: $2, onDelta: $3) }
            }
        }
        if !quiet, !verbose, let last {
            StandardError.write(last.figures(model: chat.session.model, seed: nil))
        }
        if hasFailed { throw ExitCode.failure }
    }

    private typealias Turn = (
        ChatSession, GenerateParameters, CancellationToken, (GenerationDelta) -> Void
    ) throws -> GenerationResult

    /// Runs one turn and prints it; what goes wrong is said, and the conversation goes on.
    private mutating func ask(_ turn: Turn) {
        do {
            let parameters = try nextParameters()
            var endsLine = true
            let result = try interrupt.cancellable { token in
                try turn(chat, parameters, token) { delta in
                    StandardOutput.write(delta.text)
                    endsLine = delta.text.hasSuffix("\n")
                }
            }
            if !endsLine || result.text.isEmpty { StandardOutput.write("\n") }
            if result.finishReason == .length, !quiet, result.usage.totalTokens >= chat.session.contextSize {
                StandardError.write("(cut off: the context is full; /reset begins anew)\n")
            }
            if input.isTerminal, result.finishReason == .cancelled { StandardError.write("(stopped)\n") }
            if verbose {
                let seed = parameters.sampling.temperature > 0 ? parameters.sampling.seed : nil
                StandardError.write(result.figures(model: chat.session.model, seed: seed))
            }
            last = result
        } catch {
            report("\(error)")
        }
    }

    private mutating func report(_ message: String) {
        StandardError.write("error: \(oneLine(message))\n")
        if !input.isTerminal { hasFailed = true }
    }

    /// The parameters of the next turn: each has a seed of its own, which follows from the first.
    private mutating func nextParameters() throws -> GenerateParameters {
        defer { turns += 1 }
        return try flags.parameters(seed: seed &+ turns)
    }

    // MARK: - Commands

    private static let help = """
        /help            this list
        /regen           answer the last message again
        /undo            take back the last message and its answer
        /reset           begin anew
        /system TEXT     set the system prompt (without a text: none) and begin anew
        /history         the conversation so far
        /save FILE       write the conversation to a file, as JSON
        /load FILE       go on with a conversation from a file
        /stats           figures of the last answer
        /exit            leave

        """

    /// Runs a command; returns whether to go on.
    private mutating func run(command line: String) throws -> Bool {
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        let argument = parts.count > 1 ? TextEnds.trimmed(parts[1]) : ""
        do {
            switch parts[0] {
            case "/help", "/?": StandardError.write(Self.help)
            case "/exit", "/quit", "/bye": return false
            case "/regen": ask { try $0.regenerate(parameters: $1, cancellation: $2, onDelta: $3) }
            case "/undo": try undo()
            case "/reset": try chat.reset()
            case "/system":
                chat.instructions = argument.isEmpty ? nil : argument
                try chat.reset()
            case "/history":
                for message in chat.messages {
                    StandardOutput.write("\(message.role): \(message.content ?? message.json.serialized())\n")
                }
            case "/save": try save(argument)
            case "/load": try load(argument)
            case "/stats":
                if let last { StandardError.write(last.figures(model: chat.session.model, seed: nil)) }
            default:
                report(
                    "there is no command '\(parts[0])'; /help lists them, // begins a message with a slash")
            }
        } catch {
            report("\(error)")
        }
        return true
    }

    private func undo() throws {
        var messages = chat.messages
        while let message = messages.popLast(), message.role != "user" {}
        try chat.setMessages(messages)
    }

    private func save(_ path: String) throws {
        guard !path.isEmpty else { throw ValidationError("name a file: /save FILE") }
        var messages = chat.messages.map(\.json)
        if let instructions = chat.instructions {
            messages.insert(ChatMessage.system(instructions).json, at: 0)
        }
        let text = JSONValue.array(messages).serialized(pretty: true, sortedKeys: false) + "\n"
        try writeFile(text, path: path)
        if !quiet { StandardError.write("saved \(messages.count) messages\n") }
    }

    private func load(_ path: String) throws {
        guard !path.isEmpty else { throw ValidationError("name a file: /load FILE") }
        var messages = try ConversationFile.messages(path: path)
        var instructions: String?
        if let first = messages.first, first.role == "system", let content = first.content {
            instructions = content
            messages.removeFirst()
        }
        try chat.setMessages(messages)
        chat.instructions = instructions
        if !quiet { StandardError.write("loaded \(messages.count) messages\n") }
    }
}
