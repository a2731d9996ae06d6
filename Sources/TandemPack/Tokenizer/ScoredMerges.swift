// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// The merges of a vocabulary in the manner of SentencePiece: any two neighbouring pieces merge when both together are a
/// piece, those with the highest score first, the leftmost among equals.
struct ScoredMerges {
    /// `"left right"`, in order of rank.
    private(set) var merges: [JSONValue] = []
    /// How many merges in a row have the same rank.
    private(set) var equalCounts: [Int] = []

    var hasEquals: Bool { equalCounts.count < merges.count }

    private struct Candidate {
        var id: Int32
        /// The bytes of the left part.
        var length: Int32
    }

    init(_ pieces: [TokenizerDocument.Piece]) {
        let texts = pieces.map { Array($0.text.utf8) }
        var known = Set<ArraySlice<UInt8>>(minimumCapacity: pieces.count)
        for (id, piece) in pieces.enumerated() where piece.isMergeable { known.insert(texts[id][...]) }

        var candidates: [Candidate] = []
        for (id, piece) in pieces.enumerated() where piece.isMergeable {
            let text = texts[id]
            // Longer ones come from user-defined pieces, which need no merges.
            guard text.count > 1, text.count <= 512 else { continue }
            for cut in 1..<text.count where text[cut] & 0xC0 != 0x80 {
                if known.contains(text[..<cut]) && known.contains(text[cut...]) {
                    candidates.append(
                        Candidate(id: Int32(truncatingIfNeeded: id), length: Int32(truncatingIfNeeded: cut)))
                }
            }
        }
        candidates.sort {
            let (first, second) = (pieces[Int($0.id)].score, pieces[Int($1.id)].score)
            return first != second ? first > second : ($0.id, $0.length) < ($1.id, $1.length)
        }
        var last: Double?
        for candidate in candidates {
            let text = texts[Int(candidate.id)]
            let left = String(decoding: text[..<Int(candidate.length)], as: UTF8.self)
            let right = String(decoding: text[Int(candidate.length)...], as: UTF8.self)
            if text.contains(0x20) {
                merges.append([.string(left), .string(right)])
            } else {
                merges.append(.string("\(left) \(right)"))
            }
            let score = pieces[Int(candidate.id)].score
            if score == last { equalCounts[equalCounts.count - 1] += 1 } else { equalCounts.append(1) }
            last = score
        }
    }
}
