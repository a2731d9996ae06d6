// SPDX-License-Identifier: Apache-2.0

/// A unigram language model (Kudo, "Subword Regularization", 2018): of all ways to cut a word into pieces, the one with
/// the highest sum of scores.
///
/// Equals among the sums: the one whose last piece begins first. A scalar that is no piece of its own may be an unknown
/// piece, ten below the lowest score; unknown pieces in a row are one.
struct UnigramEncoder: Sendable {
    let trie: PieceTrie
    let scores: [Double]
    let unknown: TokenID
    /// The tokens `<0x00>` … `<0xFF>`, -1 where there is none; empty when bytes are not fallen back to.
    let byteTokens: [TokenID]
    private let unknownScore: Double
    /// Whether sums are rounded to single precision, as in SentencePiece, which decides among equals.
    private let isSingle: Bool

    static let unknownPenalty = 10.0

    init(trie: PieceTrie, scores: [Double], unknown: TokenID, byteTokens: [TokenID], isSingle: Bool) {
        self.trie = trie
        self.scores = scores
        self.unknown = unknown
        self.byteTokens = byteTokens
        self.isSingle = isSingle
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
    }

    /// Appends the tokens of one word. O(length · longest piece).
    func encode(
        _ word: Span<UInt8>, _ workspace: inout UnigramWorkspace, into ids: inout [TokenID]
    ) {
        fill(word, &workspace)
        collect(word, &workspace, into: &ids)
    }

    /// Finds the best last piece for every prefix of the word.
    private func fill(_ word: Span<UInt8>, _ workspace: inout UnigramWorkspace) {
        let count = word.count
        workspace.reset(count &+ 1)
        var start = 0
        while start < count {
            let soFar = workspace.best[start].score
            let length = min(ScalarReader.length(word[start]), count &- start)
            var hasScalar = false
            var node = 0
            var end = start
            while end < count {
                node = trie.child(of: node, word[end])
                if node == 0 { break }
                end &+= 1
                let token = trie.tokens[node]
                if token < 0 { continue }
                if end &- start == length { hasScalar = true }
                let score = sum(soFar, scores[Int(token)])
                if workspace.best[end].start < 0 || score > workspace.best[end].score {
                    workspace.best[end] = .init(
                        score: score, start: Int32(truncatingIfNeeded: start), token: token)
                }
            }
            if !hasScalar {
                let score = sum(soFar, unknownScore)
                if workspace.best[start &+ length].start < 0 || score > workspace.best[start &+ length].score
                {
                    workspace.best[start &+ length] = .init(
                        score: score, start: Int32(truncatingIfNeeded: start), token: unknown)
                }
            }
            start &+= length
        }
    }

    @inline(__always)
    private func sum(_ first: Double, _ second: Double) -> Double {
        isSingle ? Double(Float(first + second)) : first + second
    }

    /// Follows the best pieces back from the end of the word.
    private func collect(
        _ word: Span<UInt8>, _ workspace: inout UnigramWorkspace, into ids: inout [TokenID]
    ) {
        workspace.path.removeAll(keepingCapacity: true)
        var end = word.count
        while end > 0 {
            let piece = workspace.best[end]
            var start = Int(piece.start)
            if piece.token == unknown {
                while start > 0 && workspace.best[start].token == unknown {
                    start = Int(workspace.best[start].start)
                }
            }
            workspace.path.append(
                .init(score: 0, start: Int32(truncatingIfNeeded: start), token: piece.token))
            end = start
        }
        var position = 0
        for index in workspace.path.indices.reversed() {
            let piece = workspace.path[index]
            let end = index == 0 ? word.count : Int(workspace.path[index &- 1].start)
            if piece.token == unknown {
                appendUnknown(word.extracting(position..<end), into: &ids)
            } else {
                ids.append(piece.token)
            }
            position = end
        }
    }

    private func appendUnknown(_ piece: Span<UInt8>, into ids: inout [TokenID]) {
        let start = ids.count
        for index in 0..<piece.count where !byteTokens.isEmpty {
            let token = byteTokens[Int(piece[index])]
            if token < 0 {
                ids.removeLast(ids.count &- start)
                break
            }
            ids.append(token)
        }
        if ids.count == start { ids.append(unknown) }
    }
}

/// Memory that one call of `encode` reuses from word to word.
struct UnigramWorkspace {
    struct Piece {
        var score: Double
        var start: Int32
        var token: TokenID
    }

    /// For each length of prefix its best last piece; without one the start is -1.
    var best: [Piece] = []
    var path: [Piece] = []

    mutating func reset(_ count: Int) {
        best.removeAll(keepingCapacity: true)
        best.append(Piece(score: 0, start: 0, token: -1))
        for _ in 1..<max(count, 1) { best.append(Piece(score: 0, start: -1, token: -1)) }
    }
}
