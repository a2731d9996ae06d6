// SPDX-License-Identifier: Apache-2.0

/// What turns the words of a text into tokens.
enum TokenModel: Sendable {
    case bytePairs(WordEncoder)
    case unigram(UnigramEncoder)

    /// Appends the tokens of one word, which is valid UTF-8.
    @inline(__always)
    func encode(
        _ word: Span<UInt8>, _ vocabulary: ByteStringTable, _ workspace: inout EncodeWorkspace,
        into ids: inout [TokenID]
    ) {
        switch self {
        case .bytePairs(let encoder): encoder.encode(word, vocabulary, &workspace.merges, into: &ids)
        case .unigram(let encoder): encoder.encode(word, &workspace.unigram, into: &ids)
        }
    }
}

/// Memory that one call of `encode` reuses from word to word.
struct EncodeWorkspace {
    var merges = MergeWorkspace()
    var unigram = UnigramWorkspace()
}
