// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem
import TandemJSON
import TandemPack

/// `tandem pack`: a checkpoint becomes one file.
struct Pack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pack a checkpoint into one .tandem file.",
        discussion: """
            The source is a tandem checkpoint directory (with tandem.json), a model in Hugging Face layout (config.json, \
            safetensors, tokenizer.json) or a GGUF file (the first one of a split model). With --secondary, the model \
            there becomes the draft model, without tandem projections. The file appears complete or not at all, and the \
            same source gives the same bytes.
            """)

    @Argument(help: "The checkpoint: a directory or a GGUF file.")
    var source: String?

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    @Option(help: "A model in Hugging Face layout or a GGUF file to use as the draft model.")
    var secondary: String?

    @OptionGroup(title: "Quantisation") var recipe: RecipeFlags

    @OptionGroup(title: "Calibration") var calibration: CalibrationFlags

    @OptionGroup(title: "Drafting") var drafting: DraftingFlags

    @OptionGroup(title: "Benchmark models") var shapes: ShapeFlags

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @Option(
        help: ArgumentHelp(
            "Speed of the storage that the weights will be streamed from: layers of the primary are compressed where that pays.",
            valueName: "90MB/s"))
    var targetStorage: StorageSpeed?

    @Flag(help: "Leave the checkpoint's chat template out.")
    var noChatTemplate = false

    @Flag(name: .shortAndLong, help: "Replace the file if it exists.")
    var force = false

    @Flag(help: "Print the report as one JSON object.")
    var json = false

    @Flag(help: "Print every tensor and chunk, not only a summary.")
    var report = false

    @Flag(name: .shortAndLong, help: "Print no summary and no progress.")
    var quiet = false

    func validate() throws {
        if threads < 0 { throw ValidationError("-t must be 0 or greater") }
        if (source == nil) == (shapes.synthetic == nil) {
            throw ValidationError("give either a checkpoint or --synthetic")
        }
        if shapes.synthetic != nil && secondary != nil {
            throw ValidationError("--synthetic makes all models itself: leave --secondary out")
        }
        if shapes.synthetic != nil && calibration.calibrate != nil {
            throw ValidationError("--synthetic makes weights that no text can tune: leave --calibrate out")
        }
        if shapes.synthetic != nil && drafting.vocabulary != nil {
            throw ValidationError(
                "--synthetic makes one model, which drafts nothing: leave --draft-vocab out")
        }
        if shapes.expand != nil && calibration.calibrate != nil {
            throw ValidationError("--calibrate tunes a model before --expand grows it: leave one out")
        }
    }

    func run() throws {
        catchInterrupt()
        try reportingErrors {
            let start = ContinuousClock.now
            let result = try pack()
            let seconds = start.duration(to: .now) / .seconds(1)
            if json {
                StandardOutput.write(result.json.serialized(pretty: true, sortedKeys: false) + "\n")
            } else if !quiet {
                if report { StandardOutput.write(result.details) }
                StandardOutput.write(result.summary(seconds: seconds))
            }
        }
    }

    private func pack() throws -> PackReport {
        var line: ProgressLine?
        defer { line?.finish() }
        do {
            let options = try options()
            let show = { (progress: PackProgress) in
                if line == nil {
                    line = ProgressLine(label: "MB", total: progress.totalBytes / 1_000_000, quiet: quiet)
                }
                line?.update(progress.completedBytes / 1_000_000, note: progress.tensor)
            }
            guard let source else {
                return try Packer().pack(
                    synthetic: TargetShape(named: shapes.synthetic ?? ""), seed: shapes.weightSeed,
                    destination: output, options: options, progress: show)
            }
            return try Packer().pack(
                source: source, secondary: secondary, destination: output, options: options, progress: show)
        } catch PackError.cancelled, TandemError.cancelled {
            line?.finish()
            StandardError.write("error: cancelled; nothing was written\n")
            throw ExitCode(130)
        }
    }

    private func options() throws -> PackOptions {
        var options = try PackOptions(
            recipe: recipe.resolved(), overwrite: force, threadCount: packThreads(threads))
        options.omitsChatTemplate = noChatTemplate
        options.targetStorage = try targetStorage.map { try TargetStorage(bytesPerSecond: $0.bytesPerSecond) }
        options.isCancelled = { interruptibleToken.isCancelled }
        // What would be refused in the end is refused before the model reads a text.
        try Packer.checkDestination(output, overwrite: force)
        options.expansion = try shapes.expansion()
        options.draftVocabulary = try drafting.draftVocabulary()
        if let source {
            options.calibration = try Calibrator(
                source: source, secondary: secondary, threads: threads, quiet: quiet
            ).run(calibration)
        }
        return options
    }
}
