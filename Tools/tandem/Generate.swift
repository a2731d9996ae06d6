// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Tandem
import TandemTokenizer

/// `tandem generate`: text from a prompt.
struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Generate text from a prompt.",
        discussion: """
            The text goes to standard output as it is made, figures to standard error at the end. With 'speed' (the \
            default where the file holds two models) the text is exactly the primary's own; the secondary only makes it \
            faster. Ctrl-C ends the text and still prints the figures.
            """)

    @Option(name: [.customShort("m"), .long], help: "The .tandem file.")
    var model: String

    @Option(name: .shortAndLong, help: "The prompt.")
    var prompt: String?

    @Option(name: .shortAndLong, help: "Read the prompt from a file; '-' is standard input.")
    var file: String?

    @OptionGroup var generation: GenerationFlags

    @Option(
        help: "Go on from what this file holds of the text, if it is there, and write it at the end.",
        completion: .file())
    var session: String?

    @Flag(name: .customLong("no-display-prompt"), help: "Do not print the prompt before the text.")
    var hidePrompt = false

    @Flag(help: "Print the memory plan to standard error first.")
    var verbose = false

    @Flag(help: "Print one JSON object instead of the text.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print no figures.")
    var quiet = false

    func validate() throws {
        if (prompt == nil) == (file == nil) {
            throw ValidationError("give the prompt with either -p or -f")
        }
    }

    func run() throws {
        try reportingErrors(file: self.model) {
            let text = try prompt ?? readPrompt(file ?? "-")
            let cancellation = interruptibleToken
            catchInterrupt()
            let parameters = try generation.parameters(seed: generation.sampling.firstSeed())
            let sessionOptions = try generation.sessionOptions()
            let model = try TandemModel.load(
                from: self.model, options: try generation.loadOptions(session: sessionOptions))
            if verbose { StandardError.write(model.memoryPlan.table) }
            let session = try model.makeSession(options: sessionOptions)
            if let saved = self.session, unsafe access(saved, F_OK) == 0 { try session.restore(from: saved) }
            if !json && !hidePrompt { StandardOutput.write(text) }
            let quietText = json
            let result = try session.generate(text, parameters: parameters, cancellation: cancellation) {
                if !quietText { StandardOutput.write($0.text) }
            }
            if let saved = self.session { try session.save(to: saved) }
            if json {
                StandardOutput.write(result.json(plan: model.memoryPlan).serialized() + "\n")
            } else {
                StandardOutput.write("\n")
                if !quiet {
                    let seed = parameters.sampling.temperature > 0 ? parameters.sampling.seed : nil
                    StandardError.write(result.figures(model: model, seed: seed))
                }
            }
        }
    }
}
