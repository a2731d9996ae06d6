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
        let width = core.primary.configuration.hiddenSize
        guard let bytes = byteProduct(min(batchSize, tokens.count), width, 4) else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "hidden states")
        }
        let states = try AlignedBuffer(byteCount: bytes, purpose: "hidden states")
        let base = unsafe UnsafePointer(states.pointer(to: Float.self))
        var position = 0
        while position < tokens.count {
            let block = tokens[position..<min(position + promptRows(.primary), tokens.count)]
            try runLead(
                block, position: position, logitRows: 0..<0, isPrompt: true, states: states,
                cancellation: cancellation)
            for row in 0..<block.count { unsafe visit(position + row, base + row &* width) }
            commit(block)
            position += block.count
        }
    }
}
