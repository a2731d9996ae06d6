// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// The text of every id in a `tokenizer.json`, whatever its model.
package struct VocabularyTable: Sendable {
    let tokens: [Int: String]

    init(path: String, bytes: [UInt8]) throws(PackError) {
        let file = try JSONFile(path: path, bytes: bytes)
        var tokens: [Int: String] = [:]
        switch file["model"]?["vocab"] {
        case .object(let vocabulary)?:
            for member in vocabulary.members {
                guard let id = member.value.intValue else {
                    throw file.invalid("model.vocab[\(JSONText.quote(member.key))]", "is not an id")
                }
                tokens[id] = member.key
            }
        case .array(let pieces)?:
            for (id, piece) in pieces.enumerated() {
                guard let text = piece.arrayValue?.first?.stringValue else {
                    throw file.invalid("model.vocab[\(id)]", "is not a piece with its score")
                }
                tokens[id] = text
            }
        default: throw file.invalid("model.vocab", "is missing or neither an object nor an array")
        }
        for (index, token) in (file["added_tokens"]?.arrayValue ?? []).enumerated() {
            guard let id = token["id"]?.intValue, let text = token["content"]?.stringValue else {
                throw file.invalid("added_tokens[\(index)]", "lacks its id or content")
            }
            tokens[id] = text
        }
        self.tokens = tokens
    }

    /// The smallest id below `limit` that has another text in `other`, or none in one of the two. Texts compare by
    /// their bytes.
    func firstDifference(from other: VocabularyTable, below limit: Int) -> Int? {
        var first: Int?
        for (id, text) in tokens where id < limit && !VocabularyTable.same(other.tokens[id], text) {
            first = min(first ?? id, id)
        }
        for id in other.tokens.keys where id < limit && tokens[id] == nil { first = min(first ?? id, id) }
        return first
    }

    /// GGUF files may have plain spaces in added tokens where the original has those of SentencePiece.
    private static func same(_ first: String?, _ second: String) -> Bool {
        guard let first else { return false }
        if first.utf8.elementsEqual(second.utf8) { return true }
        return first.unicodeScalars.map(plainSpace).elementsEqual(second.unicodeScalars.map(plainSpace))
    }

    private static func plainSpace(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        scalar == "\u{2581}" ? " " : scalar
    }
}
