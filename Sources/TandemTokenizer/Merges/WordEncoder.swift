// SPDX-License-Identifier: Apache-2.0

/// Turns the words of a text into tokens.
struct WordEncoder: Sendable {
    let symbols: SymbolTable
    let merger: BytePairMerger
    /// Words by their bytes, which become their token without merging; `nil` when merges are never ignored.
    let wholeWords: ByteStringTable?
    /// A scalar that merges never reach from the left, so that words may be cut before it.
    let boundary: [UInt8]

    /// Appends the tokens of one word.
    func encode(
        _ word: Span<UInt8>, _ vocabulary: ByteStringTable, _ workspace: inout MergeWorkspace,
        into ids: inout [TokenID]
    ) {
        if let id = wholeWords?.find(word) {
            ids.append(id)
            return
        }
        if boundary.isEmpty {
            encodePart(word, vocabulary, &workspace, into: &ids)
            return
        }
        var start = 0
        var offset = 0
        var followsBoundary = true
        while offset < word.count {
            let isBoundary = isBoundary(word, at: offset)
            if isBoundary && !followsBoundary {
                encodePart(word.extracting(start..<offset), vocabulary, &workspace, into: &ids)
                start = offset
            }
            followsBoundary = isBoundary
            offset &+= isBoundary ? boundary.count : 1
        }
        encodePart(word.extracting(start..<word.count), vocabulary, &workspace, into: &ids)
    }

    private func encodePart(
        _ part: Span<UInt8>, _ vocabulary: ByteStringTable, _ workspace: inout MergeWorkspace,
        into ids: inout [TokenID]
    ) {
        symbols.symbols(of: part, vocabulary, into: &workspace.symbols)
        merger.merge(&workspace, into: &ids)
    }

    @inline(__always)
    private func isBoundary(_ word: Span<UInt8>, at offset: Int) -> Bool {
        guard word[offset] == boundary[0], offset &+ boundary.count <= word.count else { return false }
        for index in 1..<boundary.count where word[offset &+ index] != boundary[index] { return false }
        return true
    }
}
