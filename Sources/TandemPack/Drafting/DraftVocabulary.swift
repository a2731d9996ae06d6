// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemTokenizer

/// A part of the vocabulary that drafts come from, so that the secondary's head is read for these tokens alone.
///
/// The text does not depend on it: a token outside is merely never drafted. The secondary keeps its whole head beside it,
/// for the modes in which its tokens count by themselves.
public struct DraftVocabulary: Sendable, Equatable {
    /// How many tokens.
    public let size: Int
    /// A text file whose most frequent tokens they are; nil takes the lowest ids, which in vocabularies of merges and of
    /// pieces sorted by frequency are the most frequent.
    public let text: String?

    /// - Throws: ``PackError/invalidOption(name:value:allowed:)``.
    public init(size: Int, text: String? = nil) throws(PackError) {
        guard size >= 1, size <= FormatLimits.maximumVocabularySize else {
            throw .invalidOption(
                name: "the draft vocabulary", value: "\(size)",
                allowed: "1...\(FormatLimits.maximumVocabularySize)")
        }
        self.size = size
        self.text = text
    }

    /// Bytes of a piece of text that is tokenised at once, at least.
    private static let pieceLength = 1 << 16
    private static let textLimit = 1 << 30

    /// The tokens, ascending: the end tokens and then the most frequent ones; of equals the lower id.
    ///
    /// - Parameter shared: ids below this are tokens of both models.
    func tokens(_ tokenizer: TokenizerSource, shared: Int) throws(PackError) -> [Int] {
        guard size <= shared else {
            throw .invalidOption(name: "the draft vocabulary", value: "\(size)", allowed: "1...\(shared)")
        }
        var counts = [Int](repeating: 0, count: shared)
        if let text { try count(text, tokenizer, &counts) }
        for token in tokenizer.eos where token < shared { counts[token] = Int.max }
        let order = counts.indices.sorted { counts[$0] != counts[$1] ? counts[$0] > counts[$1] : $0 < $1 }
        return order.prefix(size).sorted()
    }

    private func count(
        _ path: String, _ source: TokenizerSource, _ counts: inout [Int]
    ) throws(PackError) {
        let tokenizer: Tokenizer
        do throws(TokenizerError) {
            tokenizer = try Tokenizer(json: source.bytes)
        } catch {
            throw .tokenizer(path: source.path, error: error)
        }
        let bytes = try InputFile(path: path).contents(limit: DraftVocabulary.textLimit)
        var start = 0
        while start < bytes.count {
            // Pieces end with lines, where tokens mostly end too.
            let least = min(start + DraftVocabulary.pieceLength, bytes.count)
            let end = bytes[least...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
            let text = String(decoding: bytes[start..<end], as: UTF8.self)
            for token in tokenizer.encode(text, addSpecialTokens: false, parseSpecial: false)
            where token >= 0 && Int(token) < counts.count { counts[Int(token)] += 1 }
            start = end
        }
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
