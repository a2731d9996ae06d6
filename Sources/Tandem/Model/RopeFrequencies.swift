// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// One way in which a model rotates queries and keys.
struct RopeFrequencies: Sendable {
    /// Inverse frequencies [rotary size / 2].
    let frequencies: [Float]
    /// Those of texts longer than `longAbove` tokens.
    let longFrequencies: [Float]
    /// `nil` when there is one set of frequencies.
    let longAbove: Int?
    /// Cosines and sines are multiplied by it.
    let attentionFactor: Float

    /// Whether a text of `textLength` tokens turns by the long frequencies.
    func isLong(textLength: Int) -> Bool { textLength > longAbove ?? Int.max }

    /// The plain rotation of whole heads.
    init(base: Float, headSize: Int) {
        let half = headSize / 2
        var frequencies = [Float](repeating: 0, count: half)
        unsafe frequencies.withUnsafeMutableBufferPointer { buffer in
            if let output = buffer.baseAddress { unsafe tk_rope_frequencies(base, half, output) }
        }
        self.frequencies = frequencies
        longFrequencies = []
        longAbove = nil
        attentionFactor = 1
    }

    /// Entry `index` of the architecture's ropes.
    init(role: ModelRole, index: Int, rope: ModelArchitecture.Rope, loader: inout WeightLoader)
        throws(TandemError)
    {
        func values(_ name: String) throws(TandemError) -> [Float] {
            let base = unsafe try loader.vector(name)
            return unsafe Array(UnsafeBufferPointer(start: base, count: rope.rotarySize / 2))
        }
        frequencies = try values(TensorName.rope(role, index))
        longFrequencies = rope.longAbove == nil ? [] : try values(TensorName.longRope(role, index))
        longAbove = rope.longAbove
        attentionFactor = rope.attentionFactor
    }
}
