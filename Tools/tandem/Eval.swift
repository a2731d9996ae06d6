// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem
import TandemJSON
import TandemPack
import TandemTokenizer

/// `tandem eval`: how well a file's models predict a text, and what quantisation costs.
struct Eval: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how well the models of a file predict a text.",
        discussion: """
            Prints perplexity, cross-entropy and next-token accuracy of the primary, and of the secondary (in a tandem: \
            attending to the primary's representations of all earlier blocks) together with its accuracy against the \
            primary, total variation distance and KL divergence. With --reference, the primary is compared with the \
            primary of another file or of a checkpoint, which is then packed with 32-bit floats.

            When the model is a checkpoint (a directory or a GGUF file), it is packed by every recipe of --recipes in \
            turn and compared with its floats: one line for each recipe.
            """)

    @Option(name: [.customShort("m"), .long], help: "The .tandem file, or a checkpoint.")
    var model: String

    @Option(name: .shortAndLong, help: "The text; '-' is standard input.")
    var file: String

    @Option(help: "A .tandem file or a checkpoint with the same vocabulary, to compare with.")
    var reference: String?

    @Option(help: "For a checkpoint: recipes as pack --recipe takes them, with commas. (default: int8,int4)")
    var recipes: String?

    @Option(help: "For a checkpoint: a draft model, as pack --secondary takes it.")
    var secondary: String?

    @OptionGroup(title: "Calibration, for a checkpoint") var calibration: CalibrationFlags

    @Option(
        name: [.customShort("c"), .long], help: "Tokens per window; 0 = the model's context, 512 at most.")
    var ctxSize = 0

    @Option(name: [.customLong("block-length")], help: "Block length γ of the tandem.")
    var blockLength = 2

    @Option(name: .customLong("max-tokens"), help: "Evaluate the first tokens only; 0 = all.")
    var maxTokens = 0

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @OptionGroup var cache: CacheFlags

    @Option(help: "Element type of the reference's caches. (default: as those of the model)")
    var referenceCacheType: KeyValueType?

    @Option(help: "Write the logits of the first window to PREFIX.primary.npy and PREFIX.secondary.npy.")
    var saveLogits: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    private static let longestWindow = 512
    private static let longestBlock = 64

    func validate() throws {
        if ctxSize < 0 || threads < 0 || maxTokens < 0 {
            throw ValidationError("-c, -t and --max-tokens must be 0 or greater")
        }
        if recipes?.split(separator: ",").isEmpty ?? false {
            throw ValidationError("--recipes names no recipe")
        }
    }

    func run() throws {
        try reportingErrors(file: self.model) {
            let text = try readPrompt(file)
            catchInterrupt()
            if case .checkpoint = ModelPath(self.model) {
                guard saveLogits == nil else { throw EvalError.needsFile(option: "--save-logits") }
                try compareRecipes(text)
            } else {
                for (option, value) in [
                    ("--recipes", recipes), ("--calibrate", calibration.calibrate),
                    ("--secondary", secondary),
                ] where value != nil { throw EvalError.needsCheckpoint(option: option) }
                try evaluateFile(text)
            }
        }
    }

    private func evaluateFile(_ text: String) throws {
        let session = try makeSession(loadFile(self.model))
        let other = try reference.map { try makeSession(loadReference($0), cache: referenceCacheType) }
        let tokens = try tokens(of: text, session: session)
        if let saveLogits { try save(session, tokens: tokens, prefix: saveLogits) }
        let result = try evaluate(session, reference: other, tokens: tokens, label: "tokens")
        StandardOutput.write(json ? report(result).serialized() + "\n" : table(result))
    }

    // MARK: Recipes

    /// Packs the checkpoint by every recipe and compares each with the floats.
    private func compareRecipes(_ text: String) throws {
        let names = (recipes ?? "int8,int4").split(separator: ",").map(String.init)
        let list = try names.map { try Recipe.named($0) }
        let floats = try loadReference(reference ?? self.model)
        let calibration = try Calibrator(
            source: self.model, secondary: secondary, threads: threads, quiet: quiet
        ).run(self.calibration)
        var rows: [RecipeResult] = []
        for recipe in list {
            let packed = try TemporaryPack(
                source: self.model, secondary: secondary, recipe: recipe, calibration: calibration,
                threads: threads, quiet: quiet)
            let session = try makeSession(packed.load(threads: threads))
            let tokens = try tokens(of: text, session: session)
            let evaluation = try evaluate(
                session, reference: makeSession(floats, cache: referenceCacheType), tokens: tokens,
                label: "tokens, \(recipe.name)")
            rows.append(RecipeResult(recipe: recipe, report: packed.report, evaluation: evaluation))
        }
        let comparison = RecipeComparison(
            rows: rows, calibrationTokens: calibration?.tokenCount, blockLength: blockLength)
        StandardOutput.write(json ? comparison.json.serialized() + "\n" : comparison.text)
    }

    // MARK: Models

    private func loadFile(_ path: String) throws -> TandemModel {
        // Two models may be open at a time, so neither can claim what memory there is.
        try TandemModel.load(
            from: path, options: LoadOptions(threadCount: threads == 0 ? nil : threads, memory: .mapped))
    }

    /// A packed file as it is; a checkpoint's primary with 32-bit floats.
    private func loadReference(_ path: String) throws -> TandemModel {
        switch ModelPath(path) {
        case .packed: try loadFile(path)
        case .checkpoint:
            try TemporaryPack(source: path, recipe: .f32, threads: threads, quiet: quiet).load(
                threads: threads)
        }
    }

    private func makeSession(_ model: TandemModel, cache type: KeyValueType? = nil) throws -> Session {
        let window = min(model.manifest.primary.maxPositions, Eval.longestWindow)
        return try model.makeSession(
            options: SessionOptions(
                contextSize: ctxSize == 0 ? window : ctxSize, maxDraft: Eval.longestBlock,
                keyValueType: try type ?? cache.type()))
    }

    private func tokens(of text: String, session: Session) throws -> [TokenID] {
        var tokens = try session.model.tokenize(text)
        if maxTokens > 0, tokens.count > maxTokens { tokens.removeSubrange(maxTokens...) }
        guard tokens.count >= 2 else { throw EvalError.textTooShort(tokens: tokens.count) }
        return tokens
    }

    private func evaluate(
        _ session: Session, reference: Session?, tokens: [TokenID], label: String
    ) throws -> Evaluation {
        var total = Evaluation()
        var progress = ProgressLine(label: label, total: tokens.count, quiet: quiet)
        defer { progress.finish() }
        var start = 0
        let window = min(session.contextSize, reference?.contextSize ?? Int.max)
        // What a primary predicts does not depend on the blocks; without a secondary long ones are faster.
        let block = session.model.manifest.secondary == nil ? Eval.longestBlock : blockLength
        while start < tokens.count {
            let end = min(start + window, tokens.count)
            total.merge(
                try session.evaluate(
                    tokens: Array(tokens[start..<end]), blockLength: block, reference: reference,
                    referenceBlockLength: Eval.longestBlock, cancellation: interruptibleToken))
            start = end
            progress.update(end)
        }
        return total
    }

    private func save(_ session: Session, tokens: [TokenID], prefix: String) throws {
        var primary: [Float] = []
        var secondary: [Float] = []
        let window = Array(tokens.prefix(session.contextSize))
        try session.logits(tokens: window, blockLength: blockLength, cancellation: interruptibleToken) {
            primary += $0.primary
            secondary += $0.secondary
        }
        let rows = window.count
        try writeNumPy(primary, rows: rows, columns: primary.count / rows, to: prefix + ".primary.npy")
        if !secondary.isEmpty {
            try writeNumPy(
                secondary, rows: rows, columns: secondary.count / rows, to: prefix + ".secondary.npy")
        }
    }

    // MARK: Results

    private func report(_ result: Evaluation) -> JSONValue {
        var object: JSONObject = JSONObject()
        object["block_length"] = .integer(Int64(blockLength))
        object["primary"] = result.primary.json
        if let secondary = result.secondary { object["secondary"] = secondary.json }
        if let reference = result.reference { object["reference"] = reference.json }
        if let router = result.router { object["router"] = router.json }
        return .object(object)
    }

    private func table(_ result: Evaluation) -> String {
        var text = "model      tokens  perplexity  cross-entropy  accuracy  same top  TV       KL\n"
        text += result.primary.row("primary")
        if let secondary = result.secondary { text += secondary.row("secondary") }
        if let reference = result.reference { text += reference.row("reference") }
        let versus = reference == nil ? "" : "; primary against --reference"
        text += "(secondary at block length \(blockLength), against the primary\(versus))\n"
        return text + (result.router?.line ?? "")
    }
}

/// What `eval` itself finds wrong.
enum EvalError: Error, CustomStringConvertible {
    case textTooShort(tokens: Int)
    case needsCheckpoint(option: String)
    case needsFile(option: String)

    var description: String {
        switch self {
        case .textTooShort(let tokens): "the text has \(tokens) tokens; at least 2 are needed"
        case .needsCheckpoint(let option): "\(option) needs a checkpoint as the model, not a packed file"
        case .needsFile(let option): "\(option) needs a packed file as the model, not a checkpoint"
        }
    }
}

extension PredictionStatistics {
    var json: JSONValue {
        var object = JSONObject()
        object["tokens"] = .integer(Int64(count))
        object["perplexity"] = .number(perplexity)
        object["cross_entropy"] = .number(crossEntropy)
        object["accuracy"] = .number(accuracy)
        if let value = referenceAccuracy { object["same_top"] = .number(value) }
        if let value = totalVariation { object["total_variation"] = .number(value) }
        if let value = referenceDivergence { object["kl_divergence"] = .number(value) }
        return .object(object)
    }

    fileprivate func row(_ name: String) -> String {
        func cell(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        return cell(name, 11) + cell("\(count)", 8) + cell(fixed(perplexity, 3), 12)
            + cell(fixed(crossEntropy, 4), 15) + cell(fixed(100 * accuracy, 2) + " %", 10)
            + cell(referenceAccuracy.map { fixed(100 * $0, 2) + " %" } ?? "–", 10)
            + cell(totalVariation.map { fixed($0, 4) } ?? "–", 9)
            + (referenceDivergence.map { fixed($0, 6) } ?? "–") + "\n"
    }
}
