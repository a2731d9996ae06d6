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

    @Option(
        name: [.customShort("n"), .customLong("predict"), .customLong("max-tokens")],
        help: "Tokens to generate at most; -1 = until the context is full.")
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

    @Option(name: .long, help: "End before this text (may be repeated).")
    var stop: [String] = []

    @Flag(help: "Go on after an end token.")
    var ignoreEos = false

    @Flag(name: .customLong("no-display-prompt"), help: "Do not print the prompt before the text.")
    var hidePrompt = false

    @Flag(help: "Skip the checksums of the weights when loading.")
    var noVerify = false

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
        if predict < -1 { throw ValidationError("-n must be -1 or greater") }
        if ctxSize < 0 || threads < 0 { throw ValidationError("-c and -t must be 0 or greater") }
    }

    func run() throws {
        try reportingErrors(file: self.model) {
            let text = try prompt ?? readPrompt(file ?? "-")
            let cancellation = interruptibleToken
            catchInterrupt()
            let parameters = try generateParameters()
            let sessionOptions = try SessionOptions(
                contextSize: ctxSize == 0 ? nil : ctxSize, maxDraft: drafting.limit,
                keyValueType: try cache.type())
            let model = try TandemModel.load(
                from: self.model,
                options: LoadOptions(
                    threadCount: threads == 0 ? nil : threads, verification: noVerify ? .structure : .full,
                    memory: memory.memory, session: sessionOptions))
            if verbose { StandardError.write(model.memoryPlan.table) }
            let session = try model.makeSession(options: sessionOptions)
            if !json && !hidePrompt { StandardOutput.write(text) }
            let quietText = json
            let result = try session.generate(text, parameters: parameters, cancellation: cancellation) {
                if !quietText { StandardOutput.write($0.text) }
            }
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

    private func generateParameters() throws -> GenerateParameters {
        try GenerateParameters(
            maxTokens: predict < 0 ? nil : predict, mode: decode, draftMax: drafting.most,
            draftMin: drafting.draftMin, promptLookup: drafting.lookup, sampling: try sampling.parameters(),
            stop: stop, ignoreEndTokens: ignoreEos)
    }
}

/// The flags of speculative decoding, named as llama.cpp names them.
struct DraftFlags: ParsableArguments {
    @Option(
        help:
            "Most tokens drafted before a pass of the primary, 0...64; as many of them as pay (default: 16).")
    var draftMax: Int?

    @Option(help: "Fewest tokens drafted before a pass; equal to --draft-max, every pass drafts that many.")
    var draftMin: Int?

    @Flag(help: "Draft nothing: the same as --draft-max 0.")
    var noDraft = false

    @Flag(
        inversion: .prefixedNo,
        help:
            "Draft also what followed the newest tokens when they occurred before (default: unless the length is fixed)."
    )
    var lookup: Bool?

    /// Most drafts of a pass; nil = the default.
    var most: Int? { noDraft ? 0 : draftMax }

    /// The most a session has to allow.
    var limit: Int { max(draftMax ?? 0, draftMin ?? 0, 16) }

    func validate() throws {
        if noDraft && (draftMax ?? 0) > 0 { throw ValidationError("--no-draft contradicts --draft-max") }
    }
}

/// The sampling flags, named as llama.cpp names them.
struct SamplingFlags: ParsableArguments {
    @Option(help: "Temperature; 0 = always the most probable token.")
    var temp: Float = 0.8

    @Option(help: "Keep the k most probable tokens; 0 = all.")
    var topK = 40

    @Option(help: "Keep the smallest set of tokens with this probability.")
    var topP: Float = 0.95

    @Option(help: "Keep tokens at least this times as probable as the best.")
    var minP: Float = 0.05

    @Option(help: "Penalty on tokens of the recent text; 1 = off.")
    var repeatPenalty: Float = 1

    @Option(name: .customLong("repeat-last-n"), help: "Tokens the penalties look back at; -1 = all.")
    var repeatLastN = 64

    @Option(help: "Subtracted from the logit of tokens that occur in the recent text.")
    var presencePenalty: Float = 0

    @Option(help: "Subtracted from the logit of a token for each time it occurs in the recent text.")
    var frequencyPenalty: Float = 0

    @Option(name: .shortAndLong, help: "Seed; -1 = a new one each time.")
    var seed = -1

    /// The parameters, with a seed drawn when none was given.
    func parameters() throws -> SamplingParameters {
        try SamplingParameters(
            temperature: temp, topK: topK, topP: topP, minP: minP, repeatPenalty: repeatPenalty,
            repeatLastN: repeatLastN, presencePenalty: presencePenalty, frequencyPenalty: frequencyPenalty,
            seed: seed < 0 ? UInt64.random(in: 0..<1 << 32) : UInt64(seed))
    }
}
