// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Tandem
import TandemFormat
import TandemJSON
import TandemPack
import TandemTokenizer

/// `tandem tokenize`: the tokens of a text.
struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the tokens of a text.",
        discussion: """
            Prints one token a line: its id, and how the vocabulary spells it. The tokenizer is that of a .tandem file, a \
            tokenizer.json, a tokenizer.model of SentencePiece, a GGUF file, or a model directory. With --decode the input \
            is ids instead, and the output their text.
            """)

    @Option(
        name: [.customShort("m"), .long],
        help: "A .tandem file, tokenizer.json, tokenizer.model, .gguf file or model directory.")
    var model: String

    @Option(name: .shortAndLong, help: "The text, or the ids.")
    var prompt: String?

    @Option(name: .shortAndLong, help: "Read the text from a file; '-' is standard input.")
    var file: String?

    @Flag(help: "Print the ids alone, as a list.")
    var ids = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Turn ids, separated by spaces or commas, into text.")
    var decode = false

    @Flag(name: .customLong("no-bos"), help: "Leave out the tokens that the model wants around a text.")
    var noBos = false

    @Flag(name: .customLong("no-parse-special"), help: "Take control tokens in the text for plain text.")
    var noParseSpecial = false

    @Flag(help: "With --decode, spell control tokens.")
    var special = false

    @Flag(name: .customLong("show-count"), help: "Print the number of tokens at the end.")
    var showCount = false

    @Option(help: .hidden)
    var bench = 0

    func validate() throws {
        if (prompt == nil) == (file == nil) {
            throw ValidationError("give the text with either -p or -f")
        }
        if decode && ids { throw ValidationError("--ids does not go with --decode") }
    }

    func run() throws {
        try reportingErrors(file: self.model) {
            let source = try TokenizerFile(path: self.model)
            let text = try prompt ?? readPrompt(file ?? "-")
            if decode {
                let list = try TokenList.parse(text, limit: source.tokenizer.vocabularySize)
                let decoded = source.tokenizer.decode(list, skipSpecialTokens: !special)
                StandardOutput.write(
                    json ? JSONValue.object(["text": .string(decoded)]).serialized() + "\n" : decoded + "\n")
                return
            }
            if bench > 0 {
                measure(source, text)
                return
            }
            let list = source.encode(text, addSpecialTokens: !noBos, parseSpecial: !noParseSpecial)
            StandardOutput.write(json ? report(list, source.tokenizer) : lines(list, source.tokenizer))
        }
    }

    private func lines(_ list: [TokenID], _ tokenizer: Tokenizer) -> String {
        var output = ""
        if ids {
            output = "[" + list.map { "\($0)" }.joined(separator: ", ") + "]\n"
        } else {
            for id in list {
                let number = "\(id)"
                let padding = String(repeating: " ", count: max(0, 6 - number.utf8.count))
                output += "\(padding)\(number) -> '\(oneLine(tokenizer.token(id) ?? ""))'\n"
            }
        }
        if showCount { output += "Total number of tokens: \(list.count)\n" }
        return output
    }

    private func report(_ list: [TokenID], _ tokenizer: Tokenizer) -> String {
        var object = JSONObject()
        object["count"] = .integer(Int64(list.count))
        object["ids"] = .array(list.map { .integer(Int64($0)) })
        if !ids { object["tokens"] = .array(list.map { .string(tokenizer.token($0) ?? "") }) }
        return JSONValue.object(object).serialized(sortedKeys: false) + "\n"
    }

    /// Encodes the text `bench` times and prints the seconds of each.
    private func measure(_ source: TokenizerFile, _ text: String) {
        var count = 0
        let seconds = (0..<bench).map { _ in
            ContinuousClock().measure { count = source.tokenizer.encode(text, addSpecialTokens: false).count }
                / .seconds(1)
        }
        let object: JSONObject = [
            "tokens": .integer(Int64(count)), "bytes": .integer(Int64(text.utf8.count)),
            "seconds": .array(seconds.map { .number($0) }),
        ]
        StandardOutput.write(JSONValue.object(object).serialized() + "\n")
    }
}

/// The tokenizer at a path, whatever kind of file holds it.
private struct TokenizerFile {
    let tokenizer: Tokenizer
    /// The token that a container puts before a text that does not begin with it.
    private var start: TokenID?

    init(path: String) throws {
        guard path.hasSuffix(".tandem") else {
            tokenizer = try Tokenizer(json: try StandaloneTokenizer.document(path: path))
            return
        }
        let file = try TandemFile(path: path)
        guard let reference = file.manifest.tokenizer else { throw TokenizeError.noTokenizer(path: path) }
        tokenizer = try Tokenizer(json: try file.bytes(ofChunk: reference.chunk).copy())
        if reference.addBOS, let bos = reference.bos { start = TokenID(bos) }
    }

    func encode(_ text: String, addSpecialTokens: Bool, parseSpecial: Bool) -> [TokenID] {
        let list = tokenizer.encode(text, addSpecialTokens: addSpecialTokens, parseSpecial: parseSpecial)
        guard addSpecialTokens, let start, list.first != start else { return list }
        return [start] + list
    }
}

/// Ids in a text.
private enum TokenList {
    static func parse(_ text: String, limit: Int) throws -> [TokenID] {
        let separators: Set<Character> = [" ", ",", "\n", "\r\n", "\t", "[", "]"]
        return try text.split { separators.contains($0) }.map { part in
            guard let id = TokenID(part), id >= 0, Int(id) < limit else {
                throw TokenizeError.invalidID(text: String(part), limit: limit)
            }
            return id
        }
    }
}

/// What can be wrong with the input of `tandem tokenize`.
private enum TokenizeError: Error, CustomStringConvertible {
    case noTokenizer(path: String)
    case invalidID(text: String, limit: Int)

    var description: String {
        switch self {
        case .noTokenizer(let path): "'\(path)' holds no tokenizer"
        case .invalidID(let text, let limit): "'\(text.prefix(40))' is no id; ids are 0 … \(limit - 1)"
        }
    }
}
