// SPDX-License-Identifier: Apache-2.0

/// A model's tokenizer: text to token ids and back.
///
///     let tokenizer = try Tokenizer(json: bytes)
///     let ids = tokenizer.encode("Once upon a time")
///     let text = tokenizer.decode(ids)
///
/// Reads Hugging Face `tokenizer.json` files with byte-pair models, byte-level (GPT-2, Llama 3, Qwen) and in
/// the manner of SentencePiece (Llama 2, Gemma), and with unigram models (T5). Ids are those of the reference
/// implementation.
///
/// Immutable: any number of threads may use one tokenizer at once.
public final class Tokenizer: Sendable {
    /// The texts of all tokens, added ones included, as the file spells them.
    let vocabulary: ByteStringTable
    let specialTokens: Set<TokenID>
    let addedTokens: AddedTokenMatcher
    let normalizedAddedTokens: AddedTokenMatcher
    let normalizer: Normalizer?
    let preTokenizer: PreTokenizer
    let model: TokenModel
    let postProcessor: PostProcessor
    let decoder: TokenDecoder
    /// What each token decodes to, and what it does as the first of a text where that differs.
    private let decoded: ByteStringTable
    private let decodedFirst: ByteStringTable?

    /// Reads a Hugging Face `tokenizer.json`. Takes some 20 ms for 50 000 tokens.
    ///
    /// - Throws: ``TokenizerError`` naming the field that is wrong or not supported.
    public convenience init(json: [UInt8]) throws(TokenizerError) {
        self.init(try TokenizerDescription(json: json))
    }

    /// Reads a Hugging Face `tokenizer.json` from memory that stays valid and unchanged during the call.
    ///
    /// - Throws: ``TokenizerError`` naming the field that is wrong or not supported.
    public convenience init(json: UnsafeRawBufferPointer) throws(TokenizerError) {
        unsafe self.init(try TokenizerDescription(json: json))
    }

    /// Reads the older pair of files of byte-level models: `vocab.json` and `merges.txt`, as GPT-2 has them.
    /// No token of such a pair is special.
    ///
    /// - Throws: ``TokenizerError`` naming the entry that is wrong.
    public convenience init(vocab: [UInt8], merges: [UInt8]) throws(TokenizerError) {
        self.init(try TokenizerDescription(vocab: vocab, merges: merges))
    }

    init(_ description: consuming TokenizerDescription) {
        vocabulary = description.vocabulary
        specialTokens = Set(description.addedTokens.filter(\.isSpecial).map(\.id))
        normalizer = description.normalizer
        preTokenizer = description.preTokenizer
        postProcessor = description.postProcessor
        decoder = description.decoder
        model = description.model

        var plain = AddedTokenMatcher()
        var normalized = AddedTokenMatcher()
        // A token that is found in normalised text also decodes from its normalised form.
        var spellings: [TokenID: [UInt8]] = [:]
        for token in description.addedTokens {
            let content = Array(token.content.utf8)
            if token.isNormalized {
                let pattern = description.normalizer?.apply(content) ?? content
                normalized.insert(token, pattern: pattern)
                spellings[token.id] = pattern
            } else {
                plain.insert(token, pattern: content)
            }
        }
        addedTokens = plain
        normalizedAddedTokens = normalized
        decoded = Self.decodedTable(vocabulary, spellings, decoder, isFirst: false)
        decodedFirst =
            decoder.treatsFirstTokenApart
            ? Self.decodedTable(vocabulary, spellings, decoder, isFirst: true) : nil
    }

    private static func decodedTable(
        _ vocabulary: ByteStringTable, _ spellings: [TokenID: [UInt8]], _ decoder: TokenDecoder, isFirst: Bool
    ) -> ByteStringTable {
        var table = ByteStringTable(idLimit: vocabulary.idLimit, count: 0)
        for id in 0..<TokenID(vocabulary.idLimit) where vocabulary.contains(id) {
            let spelling = spellings[id] ?? Array(vocabulary.bytes(of: id))
            table.append(decoder.bytes(of: spelling, isFirst: isFirst), id: id)
        }
        return table
    }

    func decodedBytes(of id: TokenID, isFirst: Bool) -> ArraySlice<UInt8> {
        if isFirst, let decodedFirst { return decodedFirst.bytes(of: id) }
        return decoded.bytes(of: id)
    }
}
