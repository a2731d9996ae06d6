// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem
import TandemPack
import TandemTokenizer

/// The flags of calibration.
struct CalibrationFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A text like those the model will see; '-' is standard input. Makes 4-bit weights better.",
            discussion: """
                The model, packed with 8 bits into a temporary file, reads the text; how strong and how alike the inputs \
                of every matrix are then decides which weights may err, and later weights make up for the errors of \
                earlier ones. The same text gives the same bytes.
                """))
    var calibrate: String?

    @Option(help: "Tokens of the calibration text to use; 0 = all.")
    var calibrateTokens = 32768

    func validate() throws {
        if calibrateTokens < 0 { throw ValidationError("--calibrate-tokens must be 0 or greater") }
    }
}

/// Runs a checkpoint over a text and gathers what quantisers want to know.
struct Calibrator {
    let source: String
    let secondary: String?
    let threads: Int
    let quiet: Bool

    /// Bytes that the statistics of all matrices may take.
    private static let memoryLimit = 1 << 30
    private static let longestWindow = 1024

    func run(_ flags: CalibrationFlags) throws -> Calibration? {
        guard let path = flags.calibrate else { return nil }
        let text = try readPrompt(path)
        let packed = try TemporaryPack(
            source: source, secondary: secondary, recipe: .int8, threads: threads, quiet: quiet)
        let model = try packed.load(threads: threads)
        var tokens = try model.tokenize(text)
        if flags.calibrateTokens > 0, tokens.count > flags.calibrateTokens {
            tokens.removeSubrange(flags.calibrateTokens...)
        }
        guard !tokens.isEmpty else { throw CalibrationError.noTokens(path: path) }
        return try run(model, tokens: tokens)
    }

    private func run(_ model: TandemModel, tokens: [TokenID]) throws -> Calibration {
        // In a tandem, blocks are as long as when it drafts: they decide what the secondary's keys and values read.
        let block = model.manifest.tandem?.blockLength ?? 32
        let window = min(model.manifest.primary.maxPositions, Calibrator.longestWindow)
        let session = try model.makeSession(
            options: SessionOptions(contextSize: window, maxDraft: max(1, block), keyValueType: .f32))
        let recorder = try InputRecorder(model: model, memoryLimit: Calibrator.memoryLimit)
        var line = ProgressLine(label: "calibration tokens", total: tokens.count, quiet: quiet)
        defer { line.finish() }
        var start = 0
        while start < tokens.count {
            let end = min(start + window, tokens.count)
            try session.recordInputs(
                tokens: Array(tokens[start..<end]), blockLength: block, into: recorder,
                cancellation: interruptibleToken)
            start = end
            line.update(end)
        }
        var inputs: [String: InputStatistics] = [:]
        for (names, statistics) in recorder.finish() {
            let shared = try InputStatistics(
                columns: statistics.columns, blockSize: statistics.blockSize, moments: statistics.moments)
            for name in names { inputs[name] = shared }
        }
        // The last layer's matrices feed every logit: when they are known, all layers are.
        guard inputs["primary.layers.\(model.manifest.primary.layerCount - 1).down"] != nil else {
            throw CalibrationError.nothingRecorded
        }
        return Calibration(inputs: inputs, tokenCount: tokens.count)
    }
}

/// What calibration itself finds wrong.
enum CalibrationError: Error, CustomStringConvertible {
    case noTokens(path: String)
    case nothingRecorded

    var description: String {
        switch self {
        case .noTokens(let path): "the calibration text '\(path)' is empty"
        case .nothingRecorded:
            "calibration saw no inputs of the last layer; give the model a text without --calibrate and report this"
        }
    }
}
