// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Reads unigram models.
enum UnigramReader {
    static func read(
        _ field: Field, added: [AddedToken], isByteLevel: Bool
    ) throws(TokenizerError) -> (ByteStringTable, TokenModel) {
        if isByteLevel {
            throw try field.required("type").unsupported("BPE where the text is cut by ByteLevel")
        }
        let list = try field.required("vocab")
        let pieces = try self.pieces(list)
        let vocabulary = try self.vocabulary(pieces, added, path: list.path)

        let unknownField = try field.required("unk_id")
        let unknown = try unknownField.int()
        guard pieces.indices.contains(unknown) else {
            throw .unknownToken(path: unknownField.path, token: "\(unknown)")
        }
        let bytes = pieces.reduce(0) { $0 + $1.text.utf8.count }
        guard bytes <= PieceTrie.maximumBytes else {
            throw .tokenTooLong(path: list.path, bytes: bytes, limit: PieceTrie.maximumBytes)
        }
        var trie = PieceTrie(byteCount: bytes)
        let byteTokens = VocabularyReader.byteTokens(vocabulary)
        // Control tokens are found before, or not wanted at all.
        var hidden = Set(added.filter(\.isSpecial).map(\.id))
        // The packer marks models that came from other files: there the text <0x0A> is no byte.
        if try field.flag("bytes_by_fallback_only", default: false) { hidden.formUnion(byteTokens) }
        let isSingle = try field.flag("single_precision", default: false)
        for (id, piece) in pieces.enumerated() where !hidden.contains(TokenID(id)) {
            trie.insert(piece.text.utf8, id: TokenID(id))
        }
        let fallsBack = try field.flag("byte_fallback", default: false)
        let encoder = UnigramEncoder(
            trie: trie, scores: pieces.map(\.score), unknown: TokenID(unknown),
            byteTokens: fallsBack ? byteTokens : [], isSingle: isSingle)
        return (vocabulary, .unigram(encoder))
    }

    /// `[["<unk>", 0.0], …]`: the position is the id.
    private static func pieces(_ list: Field) throws(TokenizerError) -> [(text: String, score: Double)] {
        guard let elements = list.value.arrayValue else {
            throw .wrongType(path: list.path, expected: "an array")
        }
        guard elements.count < VocabularyReader.idLimit else {
            throw .idOutOfRange(
                path: list.path, token: "", id: elements.count, limit: VocabularyReader.idLimit)
        }
        var pieces: [(text: String, score: Double)] = []
        pieces.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard let parts = element.arrayValue, parts.count == 2, let text = parts[0].stringValue,
                let score = parts[1].doubleValue
            else { throw .wrongType(path: "\(list.path)[\(index)]", expected: "a piece and its score") }
            guard text.utf8.count <= VocabularyReader.maximumTokenBytes else {
                throw .tokenTooLong(
                    path: list.path, bytes: text.utf8.count, limit: VocabularyReader.maximumTokenBytes)
            }
            pieces.append((text, score))
        }
        return pieces
    }

    private static func vocabulary(
        _ pieces: [(text: String, score: Double)], _ added: [AddedToken], path: String
    ) throws(TokenizerError) -> ByteStringTable {
        let count = pieces.count + added.count
        guard count > 0 else { throw .emptyVocabulary(path: path) }
        let limit = min(VocabularyReader.idLimit, count * 8 + 65_536)
        var largest = pieces.count - 1
        for token in added {
            guard token.id < limit else {
                throw .idOutOfRange(
                    path: "added_tokens", token: token.content, id: Int(token.id), limit: limit)
            }
            largest = max(largest, Int(token.id))
        }
        var table = ByteStringTable(idLimit: largest + 1, count: count)
        // Of equal pieces the last is the one that is found.
        for id in pieces.indices.reversed() { table.insert(pieces[id].text.utf8, id: TokenID(id)) }
        try VocabularyReader.insert(added, into: &table)
        return table
    }
}
