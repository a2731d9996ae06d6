// SPDX-License-Identifier: Apache-2.0

internal import TandemTokenizer

extension Decoder {
    /// Runs `tokens` from position 0 through the primary and shows each position's hidden state after the final norm
    /// [hidden]. The decoder then holds the tokens, as after a prompt.
    func hiddenStates(
        _ tokens: [TokenID], cancellation: CancellationToken?, visit: (Int, UnsafePointer<Float>) -> Void
    ) throws(TandemError) {
        reset()
        selectRope(length: tokens.count)
        try prepareCaches(for: .primary)
        var position = 0
        while position < tokens.count {
            let block = tokens[position..<min(position + batchSize, tokens.count)]
            try runLead(block, position: position, logitRows: 0..<0, cancellation: cancellation)
            let states = primary.finalStates(rows: block.count)
            for row in 0..<block.count { unsafe visit(position + row, states.base + row &* states.stride) }
            commit(block)
            position += block.count
        }
    }
}

extension Transformer {
    /// The residual streams of the last pass, its first `rows`, after the final norm; valid until the next pass.
    func finalStates(rows: Int) -> Rows {
        unsafe normed(workspace.residual, stride: hiddenSize, rows: rows, by: weights.norm)
    }
}
