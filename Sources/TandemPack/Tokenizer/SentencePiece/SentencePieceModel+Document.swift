// SPDX-License-Identifier: Apache-2.0

extension SentencePieceModel {
    /// What the files beside a model decide; nil where they say nothing.
    struct Surroundings: Sendable {
        var addBOS: Bool?
        var addEOS: Bool?
        /// Whether text behind a control token gets a space in front too.
        var isLegacy: Bool?
    }

    /// The model as a `tokenizer.json` that gives the ids of SentencePiece.
    func tokenizerJSON(_ surroundings: Surroundings) throws(PackError) -> [UInt8] {
        var document = TokenizerDocument(
            pieces: documentPieces, path: path, field: "pieces", escapesSpaces: escapesSpaces)
        let scheme = surroundings.isLegacy == false ? "first" : "first_or_special"
        if !characterMap.isEmpty { document.normalize(characterMap: characterMap) }
        if removesExtraSpaces { document.removeExtraSpaces(marksToo: true) }
        if escapesSpaces {
            document.escapeSpaces(prefix: addsDummyPrefix, scheme: scheme)
        } else {
            if addsDummyPrefix { document.prepend(" ", scheme: scheme) }
            document.decoders = [["type": "ByteFallback"], ["type": "Fuse"]]
            if addsDummyPrefix {
                document.decoders.append(["type": "Strip", "content": " ", "start": 1, "stop": 0])
            }
        }
        if bos >= 0 && surroundings.addBOS != false { document.prefix = bos }
        if eos >= 0 && surroundings.addEOS ?? (bos < 0) { document.suffix = eos }
        if algorithm == .unigram {
            _ = try document.vocabulary()
            return document.serialized(
                model: document.unigramModel(
                    unknown: unknown, byteFallback: byteFallback, singlePrecision: true))
        }
        return document.serialized(
            model: try document.scoredModel(unknown: unknown, byteFallback: byteFallback))
    }

    private var documentPieces: [TokenizerDocument.Piece] {
        let best = pieces.reduce(Float(0)) { $1.type == 1 ? max($0, $1.score) : $0 }
        return pieces.map { piece in
            let kind: TokenizerDocument.Piece.Kind =
                switch piece.type {
                case 2: .unknown
                case 3: .control
                case 4: .userDefined
                case 6: .byte
                default: .normal
                }
            // User-defined pieces come before all others.
            let score = kind == .userDefined && algorithm == .bytePairs ? max(best, piece.score) : piece.score
            return TokenizerDocument.Piece(text: piece.text, score: Double(score), kind: kind)
        }
    }
}

/// A `tokenizer.model` as a `tokenizer.json`, without files beside it.
package func sentencePieceDocument(path: String, bytes: [UInt8]) throws(PackError) -> [UInt8] {
    try SentencePieceModel(path: path, bytes: bytes).tokenizerJSON(SentencePieceModel.Surroundings())
}
