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
            The source is a tandem checkpoint directory (with tandem.json) or a model in Hugging Face layout (config.json, \
            safetensors, tokenizer.json). With --secondary, the model there becomes the draft model, without tandem \
            projections. The file appears complete or not at all, and the same source gives the same bytes.
            """)

    @Argument(help: "The checkpoint's directory.")
    var source: String

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: String

    @Option(help: "A model in Hugging Face layout to use as the draft model.")
    var secondary: String?

    @OptionGroup(title: "Quantisation") var formats: FormatFlags

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

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
            return try Packer().pack(
                source: source, secondary: secondary, destination: output, options: options(),
                progress: { progress in
                    if line == nil {
                        line = ProgressLine(label: "MB", total: progress.totalBytes / 1_000_000, quiet: quiet)
                    }
                    line?.update(progress.completedBytes / 1_000_000, note: progress.tensor)
                })
        } catch PackError.cancelled {
            line?.finish()
            StandardError.write("error: cancelled; nothing was written\n")
            throw ExitCode(130)
        }
    }

    private func options() throws -> PackOptions {
        var options = try PackOptions(
            weights: formats.weights, overwrite: force,
            threadCount: threads == 0 ? min(availableProcessorCount(), 256) : threads)
        options.primary = formats.primary
        options.secondary = formats.secondary
        options.projections = formats.projections
        options.embeddings = formats.embeddings
        options.omitsChatTemplate = noChatTemplate
        options.isCancelled = { interruptibleToken.isCancelled }
        return options
    }
}

/// The flags that choose what matrices become.
struct FormatFlags: ParsableArguments {
    /// An element format by its name.
    enum Element: String, CaseIterable, ExpressibleByArgument {
        case f32, int8, int4

        func format(_ group: GroupSize) -> WeightFormat {
            switch self {
            case .f32: .f32
            case .int8: .int8(group)
            case .int4: .int4(group)
            }
        }
    }

    /// A group size by its name.
    enum Group: String, CaseIterable, ExpressibleByArgument {
        case columns32 = "32"
        case columns64 = "64"
        case columns128 = "128"
        case row

        var size: GroupSize {
            switch self {
            case .columns32: .columns32
            case .columns64: .columns64
            case .columns128: .columns128
            case .row: .row
            }
        }
    }

    @Option(help: "What all matrices become.")
    var quantize = Element.int8

    @Option(name: .customLong("quantize-primary"), help: "The same for the primary only.")
    var primaryElement: Element?

    @Option(name: .customLong("quantize-secondary"), help: "The same for the secondary only.")
    var secondaryElement: Element?

    @Option(name: .customLong("quantize-projections"), help: "The same for the tandem projections only.")
    var projectionElement: Element?

    @Option(
        name: .customLong("quantize-embeddings"),
        help: "The same for embeddings and output heads of both models.")
    var embeddingElement: Element?

    @Option(help: "Columns that share a scale.")
    var groupSize = Group.columns64

    var weights: WeightFormat { quantize.format(groupSize.size) }
    var primary: WeightFormat { (primaryElement ?? quantize).format(groupSize.size) }
    var secondary: WeightFormat { (secondaryElement ?? quantize).format(groupSize.size) }
    var projections: WeightFormat { (projectionElement ?? quantize).format(groupSize.size) }
    var embeddings: WeightFormat? { embeddingElement?.format(groupSize.size) }
}
