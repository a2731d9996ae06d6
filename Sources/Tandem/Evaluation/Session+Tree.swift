// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

extension Session {
    /// The logits of both models for every node of a tree that follows `tokens`, as verification and drafting compute them:
    /// each model runs all nodes in one pass. The session is reset.
    ///
    /// - Parameter tree: its root comes after `tokens`; the secondary sees the primary's representations of `tokens`.
    /// - Returns: a row per node; of the secondary, where there is one, over the tokens of both models.
    /// - Throws: ``TandemError/promptTooLong(tokens:contextSize:)`` where the context has no room for tokens, paths and nodes,
    ///   ``TandemError/invalidToken(id:vocabularySize:)``, ``TandemError/sessionBusy``.
    package func treeLogits(after tokens: [TokenID], tree: TokenTree) throws(TandemError) -> (
        primary: [[Float]], secondary: [[Float]]
    ) {
        guard !tokens.isEmpty else { throw .emptyPrompt }
        let needed = tokens.count + tree.length + tree.count
        guard needed <= contextSize else { throw .promptTooLong(tokens: needed, contextSize: contextSize) }
        var result: (primary: [[Float]], secondary: [[Float]]) = ([], [])
        try withDecoder(checking: tokens + tree.tokens, blockLength: 1, cancellation: nil) {
            (decoder) throws(TandemError) in
            guard tree.count <= decoder.logitRowCount else {
                throw .invalidParameter(
                    name: "draft-tree", value: "\(tree.count - 1)", allowed: "at most \(treeLimit)")
            }
            decoder.reset()
            defer { decoder.reset() }
            let model = decoder.core
            _ = try decoder.prefill(
                tokens, mode: model.secondary == nil ? .primary : .speed, cancellation: nil)
            let rows = tree.isChain ? nil : TreeRows(tree)
            let all = 0..<tree.count
            func logits(_ count: Int) -> [[Float]] {
                all.map { row in
                    unsafe [Float](UnsafeBufferPointer(start: decoder.logits(row: row), count: count))
                }
            }
            if model.secondary != nil {
                if case .own = decoder.secondaryContent {
                    _ = try decoder.runSecondary(
                        upToEndOf: tokens, isDraft: false, question: nil, cancellation: nil)
                }
                try decoder.runSecondary(
                    tree.tokens[...], position: tokens.count, tree: rows, logitRows: all, cancellation: nil)
                result.secondary = logits(model.sharedVocabulary)
            }
            try decoder.runLead(
                tree.tokens[...], position: tokens.count, tree: rows, logitRows: all, cancellation: nil)
            result.primary = logits(model.primary.configuration.vocabularySize)
        }
        return result
    }
}
