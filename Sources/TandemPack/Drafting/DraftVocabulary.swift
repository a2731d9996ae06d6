// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemTokenizer

/// A part of the vocabulary that drafts come from, so that the secondary's head is read for these tokens alone.
///
/// The text does not depend on it: a token outside is merely never drafted. The secondary keeps its whole head beside it,
/// for the modes in which its tokens count by themselves.
public struct DraftVocabulary: Sendable, Equatable {
    /// As many tokens as the checkpoint recommends; all where it recommends nothing.
    public static let recommended = DraftVocabulary(choice: .recommended)
    /// All tokens.
    public static let whole = DraftVocabulary(choice: .whole)

    private enum Choice: Equatable {
        case recommended, whole
        case mostFrequent(Int, text: String?)
    }

    private let choice: Choice

    private init(choice: Choice) { self.choice = choice }

    /// The most frequent tokens.
    ///
    /// - Parameters:
    ///   - size: how many.
    ///   - text: a text file that tells how frequent tokens are. nil goes by the checkpoint's frequencies or, where it has
    ///     none, takes the lowest ids, which in vocabularies of merges and of pieces sorted by frequency are frequent.
    /// - Throws: ``PackError/invalidOption(name:value:allowed:)``.
    public init(size: Int, text: String? = nil) throws(PackError) {
        guard size >= 1, size <= FormatLimits.maximumVocabularySize else {
            throw DraftVocabulary.invalid(size, allowed: "1...\(FormatLimits.maximumVocabularySize)")
        }
        choice = .mostFrequent(size, text: text)
    }

    /// Bytes of a piece of text that is tokenised at once, at least.
    private static let pieceLength = 1 << 16
    private static let textLimit = 1 << 30

    private static func invalid(_ size: Int, allowed: String) -> PackError {
        .invalidOption(name: "the draft vocabulary", value: "\(size)", allowed: allowed)
    }

    /// The tokens, ascending: the end tokens and then the most frequent ones; of equals the lower id. nil: all.
    ///
    /// - Parameters:
    ///   - shared: ids below this are tokens of both models; nil where there is no secondary.
    ///   - known: what the checkpoint says.
    func tokens(
        _ tokenizer: TokenizerSource, shared: Int?, known: TokenFrequencies?
    ) throws(PackError) -> [Int]? {
        switch choice {
        case .whole: return nil
        case .recommended:
            // All tokens are no part of the vocabulary: a head of their own would be a second whole one.
            guard let known, let shared, known.recommended < shared else { return nil }
            return DraftVocabulary.most(known.values, known.recommended, tokenizer, shared: shared)
        case .mostFrequent(let size, let text):
            guard let shared else {
                throw DraftVocabulary.invalid(size, allowed: "left out: the source has no secondary")
            }
            guard size <= shared else { throw DraftVocabulary.invalid(size, allowed: "1...\(shared)") }
            var frequencies = known?.values ?? []
            if let text { frequencies = try DraftVocabulary.count(text, tokenizer, shared: shared) }
            return DraftVocabulary.most(frequencies, size, tokenizer, shared: shared)
        }
    }

    /// - Parameter frequencies: by id; ids beyond are the least frequent.
    private static func most(
        _ frequencies: [Float], _ size: Int, _ tokenizer: TokenizerSource, shared: Int
    ) -> [Int] {
        var rank = [Float](repeating: 0, count: shared)
        for id in 0..<min(shared, frequencies.count) { rank[id] = frequencies[id] }
        for token in tokenizer.eos where token < shared { rank[token] = .infinity }
        let order = rank.indices.sorted { rank[$0] != rank[$1] ? rank[$0] > rank[$1] : $0 < $1 }
        return order.prefix(size).sorted()
    }

    /// How often each token occurs in a text.
    private static func count(
        _ path: String, _ source: TokenizerSource, shared: Int
    ) throws(PackError) -> [Float] {
        let tokenizer: Tokenizer
        do throws(TokenizerError) {
            tokenizer = try Tokenizer(json: source.bytes)
        } catch {
            throw .tokenizer(path: source.path, error: error)
        }
        let bytes = try InputFile(path: path).contents(limit: textLimit)
        // Counted as integers: the text may have more tokens than a float can count.
        var counts = [Int](repeating: 0, count: shared)
        var start = 0
        while start < bytes.count {
            // Pieces end with lines, where tokens mostly end too.
            let least = min(start + pieceLength, bytes.count)
            let end = bytes[least...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
            let text = String(decoding: bytes[start..<end], as: UTF8.self)
            for token in tokenizer.encode(text, addSpecialTokens: false, parseSpecial: false)
            where token >= 0 && Int(token) < counts.count { counts[Int(token)] += 1 }
            start = end
        }
        return counts.map(Float.init)
    }
}

/// Some rows of a matrix.
struct SelectedRows: TensorReader {
    let source: SourceTensor
    /// Ascending.
    let selection: [Int]

    var path: String { source.path }
    var name: String { source.name }
    var typeName: String { source.typeName }
    var rows: Int { selection.count }
    var columns: Int { source.columns }
    var rowLength: Int { source.rowLength }

    func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError) {
        for (index, row) in rows.enumerated() {
            let stored = selection[row]
            try unsafe source.read(
                rows: stored..<stored + 1, scratch: scratch, into: floats + index * stride, stride: stride)
        }
    }
}
