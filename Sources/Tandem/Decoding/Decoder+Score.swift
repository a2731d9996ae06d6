// SPDX-License-Identifier: Apache-2.0

internal import TandemTokenizer

extension Decoder {
    /// Runs `tokens` from position 0 in blocks of `blockLength` and shows every position's logits.
    ///
    /// In a tandem the secondary runs each block before the primary's representations of it are committed, exactly as
    /// when it drafts, but over the given tokens. A plain second model runs over its own cache. The decoder is reset.
    /// `visit` gets the position, the primary's logits, and the secondary's of the tokens that both models have (empty
    /// when there is no secondary).
    func score(
        _ tokens: [TokenID], blockLength: Int, cancellation: CancellationToken?,
        visit: (Int, UnsafePointer<Float>, [Float]) -> Void
    ) throws(TandemError) {
        reset()
        defer { reset() }
        selectRope(length: tokens.count)
        let vocabulary = core.sharedVocabulary
        try prepareCaches(for: core.secondary == nil ? .primary : .speed)
        var position = 0
        while position < tokens.count {
            let end = min(position + blockLength, tokens.count)
            let block = tokens[position..<end]
            let secondaryLogits = try scoreSecondary(block, position: position, cancellation: cancellation)
            try runLead(block, position: position, logitRows: 0..<block.count, cancellation: cancellation)
            for row in 0..<block.count {
                let part =
                    secondaryLogits.isEmpty
                    ? [] : Array(secondaryLogits[row * vocabulary..<(row + 1) * vocabulary])
                unsafe visit(position + row, logits(row: row), part)
            }
            commit(block)
            position = end
        }
    }

    /// The secondary's logits over a block, row after row, of the shared vocabulary; empty when there is no secondary.
    private func scoreSecondary(
        _ block: ArraySlice<TokenID>, position: Int, cancellation: CancellationToken?
    ) throws(TandemError) -> [Float] {
        guard core.secondary != nil else { return [] }
        try runSecondary(
            block, position: position, logitRows: 0..<block.count, cancellation: cancellation)
        let vocabulary = core.sharedVocabulary
        var result: [Float] = []
        result.reserveCapacity(block.count * vocabulary)
        for row in 0..<block.count {
            unsafe result.append(contentsOf: UnsafeBufferPointer(start: logits(row: row), count: vocabulary))
        }
        return result
    }
}
