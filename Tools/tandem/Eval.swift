// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem
import TandemJSON
import TandemTokenizer

/// `tandem eval`: how well a file's models predict a text.
struct Eval: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how well the models of a file predict a text.",
        discussion: """
            Prints perplexity, cross-entropy and next-token accuracy of the primary, and of the secondary (in a tandem: \
            attending to the primary's representations of all earlier blocks) together with its accuracy against the \
            primary, total variation distance and KL divergence. With --reference, the primary is compared with the \
            primary of another file, such as the same checkpoint packed with --quantize f32.
            """)

    @Option(name: [.customShort("m"), .long], help: "The .tandem file.")
    var model: String

    @Option(name: .shortAndLong, help: "The text; '-' is standard input.")
    var file: String

    @Option(help: "Another .tandem file with the same vocabulary, to compare with.")
    var reference: String?

    @Option(name: [.customShort("c"), .long], help: "Tokens per window; 0 = the model's own context.")
    var ctxSize = 0

    @Option(name: [.customLong("block-length")], help: "Block length γ of the tandem.")
    var blockLength = 2

    @Option(name: .customLong("max-tokens"), help: "Evaluate the first tokens only; 0 = all.")
    var maxTokens = 0

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @OptionGroup var cache: CacheFlags

    @Option(help: "Write the logits of the first window to PREFIX.primary.npy and PREFIX.secondary.npy.")
    var saveLogits: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if ctxSize < 0 || threads < 0 || maxTokens < 0 {
            throw ValidationError("-c, -t and --max-tokens must be 0 or greater")
        }
    }

    func run() throws {
        try reportingErrors(file: self.model) {
            let text = try readPrompt(file)
            catchInterrupt()
            let session = try makeSession(self.model)
            let other = try reference.map(makeSession)
            var tokens = try session.model.tokenize(text)
            if maxTokens > 0, tokens.count > maxTokens { tokens.removeSubrange(maxTokens...) }
            guard tokens.count >= 2 else { throw EvalError.textTooShort(tokens: tokens.count) }
            if let saveLogits { try save(session, tokens: tokens, prefix: saveLogits) }
            let result = try evaluate(session, reference: other, tokens: tokens)
            StandardOutput.write(json ? report(result).serialized() + "\n" : table(result))
        }
    }

    private func makeSession(_ path: String) throws -> Session {
        let model = try TandemModel.load(
            from: path, options: LoadOptions(threadCount: threads == 0 ? nil : threads))
        return try model.makeSession(
            options: SessionOptions(
                contextSize: ctxSize == 0 ? nil : ctxSize, maxDraft: max(16, min(blockLength, 64)),
                keyValueType: try cache.type()))
    }

    private func evaluate(_ session: Session, reference: Session?, tokens: [TokenID]) throws -> Evaluation {
        var total = Evaluation()
        var progress = ProgressLine(label: "tokens", total: tokens.count)
        var start = 0
        let window = min(session.contextSize, reference?.contextSize ?? Int.max)
        while start < tokens.count {
            let end = min(start + window, tokens.count)
            total.merge(
                try session.evaluate(
                    tokens: Array(tokens[start..<end]), blockLength: blockLength, reference: reference,
                    cancellation: interruptibleToken))
            start = end
            progress.update(end)
        }
        progress.finish()
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
        let width = session.model.manifest.primary.vocabularySize
        try writeNumPy(primary, rows: window.count, columns: width, to: prefix + ".primary.npy")
        if !secondary.isEmpty {
            let shared = secondary.count / window.count
            try writeNumPy(secondary, rows: window.count, columns: shared, to: prefix + ".secondary.npy")
        }
    }

    private func report(_ result: Evaluation) -> JSONValue {
        var object: JSONObject = JSONObject()
        object["block_length"] = .integer(Int64(blockLength))
        object["primary"] = result.primary.json
        if let secondary = result.secondary { object["secondary"] = secondary.json }
        return .object(object)
    }

    private func table(_ result: Evaluation) -> String {
        var text = "model      tokens  perplexity  cross-entropy  accuracy  same top  TV       KL\n"
        text += result.primary.row("primary")
        if let secondary = result.secondary { text += secondary.row("secondary") }
        let versus = reference == nil ? "" : "; primary against --reference"
        return text + "(secondary at block length \(blockLength), against the primary\(versus))\n"
    }
}

/// What `eval` itself finds wrong.
enum EvalError: Error, CustomStringConvertible {
    case textTooShort(tokens: Int)

    var description: String {
        switch self {
        case .textTooShort(let tokens): "the text has \(tokens) tokens; at least 2 are needed"
        }
    }
}

extension PredictionStatistics {
    fileprivate var json: JSONValue {
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
