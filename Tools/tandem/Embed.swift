// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem
import TandemJSON
import TandemTokenizer

/// `tandem embed`: vectors that stand for texts.
struct Embed: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the vectors that stand for texts.",
        discussion: """
            A vector is made of the primary's hidden states after its final norm and has length 1. Prints one line a text, \
            or with --json the object that an OpenAI-compatible server answers with.
            """)

    @Option(name: [.customShort("m"), .long], help: "The .tandem file.")
    var model: String

    @Option(name: .shortAndLong, help: "A text (may be repeated).")
    var prompt: [String] = []

    @Option(name: .shortAndLong, help: "Read a text from a file; '-' is standard input.")
    var file: String?

    @Flag(help: "Take every line of the file for a text of its own; empty ones are left out.")
    var lines = false

    @Option(help: "How tokens become one vector: mean or last.")
    var pooling = EmbeddingPooling.mean

    @Option(name: [.customShort("c"), .long], help: "Context size in tokens; 0 = the model's own.")
    var ctxSize = 0

    @Option(name: .shortAndLong, help: "Threads; 0 = the processors this process may use.")
    var threads = 0

    @OptionGroup var cache: CacheFlags

    @OptionGroup var memory: MemoryFlags

    @Flag(help: "Skip the checksums of the weights when loading.")
    var noVerify = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if prompt.isEmpty == (file == nil) { throw ValidationError("give texts with either -p or -f") }
        if lines && file == nil { throw ValidationError("--lines needs -f") }
        if ctxSize < 0 || threads < 0 { throw ValidationError("-c and -t must be 0 or greater") }
    }

    func run() throws {
        try reportingErrors(file: self.model) {
            let texts = try texts()
            let options = try SessionOptions(
                contextSize: ctxSize == 0 ? nil : ctxSize, maxDraft: 0, keyValueType: try cache.type())
            let model = try TandemModel.load(
                from: self.model,
                options: LoadOptions(
                    threadCount: threads == 0 ? nil : threads, verification: noVerify ? .structure : .full,
                    memory: memory.memory, session: options))
            let session = try model.makeSession(options: options)
            var data: [JSONValue] = []
            var count = 0
            for (index, text) in texts.enumerated() {
                let tokens = try model.tokenize(text)
                let vector = try session.embedding(tokens: tokens, pooling: pooling)
                count += tokens.count
                if json {
                    data.append([
                        "object": "embedding", "index": .integer(Int64(index)),
                        "embedding": .array(vector.map { .number(Double($0)) }),
                    ])
                } else {
                    StandardOutput.write(vector.map { "\($0)" }.joined(separator: " ") + "\n")
                }
            }
            if json { StandardOutput.write(report(data, tokenCount: count)) }
        }
    }

    private func texts() throws -> [String] {
        guard let file else { return prompt }
        let text = try readPrompt(file)
        return lines ? text.split(whereSeparator: \.isNewline).map(String.init) : [text]
    }

    private func report(_ data: [JSONValue], tokenCount: Int) -> String {
        let object: JSONValue = [
            "object": "list", "data": .array(data), "model": .string(model),
            "usage": [
                "prompt_tokens": .integer(Int64(tokenCount)), "total_tokens": .integer(Int64(tokenCount)),
            ],
        ]
        return object.serialized(sortedKeys: false) + "\n"
    }
}
