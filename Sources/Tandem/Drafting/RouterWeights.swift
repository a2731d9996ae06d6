// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// The weights of a block-length router (`Formats/tandem-file.md`, "Drafting").
///
/// Thread safety: an immutable view; `TransformerWeights` keeps the bytes alive.
@safe
struct RouterWeights: @unchecked Sendable {
    /// Tokens that the router looks at.
    let topCount: Int
    /// Elements of an embedding.
    let width: Int
    /// Tokens of both models.
    let vocabularySize: Int
    /// [units, inputs].
    let hidden: Matrix
    let hiddenBias: UnsafePointer<Float>
    /// Weights [units] and bias [1] of either output.
    let sampled: (weights: UnsafePointer<Float>, bias: UnsafePointer<Float>)
    let greedy: (weights: UnsafePointer<Float>, bias: UnsafePointer<Float>)

    init(
        _ configuration: DraftingConfiguration.Router, width: Int, vocabularySize: Int,
        loader: inout WeightLoader
    ) throws(TandemError) {
        topCount = configuration.topCount
        self.width = width
        self.vocabularySize = vocabularySize
        hidden = try loader.matrix(TensorName.router(.hidden))
        unsafe hiddenBias = try loader.vector(TensorName.router(.hiddenBias))
        unsafe sampled = (
            try loader.vector(TensorName.router(.sampled)), try loader.vector(TensorName.router(.sampledBias))
        )
        unsafe greedy = (
            try loader.vector(TensorName.router(.greedy)), try loader.vector(TensorName.router(.greedyBias))
        )
    }

    /// Floats of scratch that an estimate needs: inputs, then the hidden units of whole panels.
    var scratchCount: Int { hidden.columns + hidden.panelCount * 16 }

    /// The probability that the draft will be kept, from `scratch` [``scratchCount``] with the inputs in front: in the
    /// file's order, every sum in its written order, so the same bits on every instruction set. NaN when an input is.
    func estimate(
        _ scratch: UnsafeMutablePointer<Float>, isGreedy: Bool, kernels: tk_kernels
    ) -> Float {
        let units = unsafe scratch + hidden.columns
        var arguments = unsafe tk_fgemm(
            x: UnsafePointer(scratch), ldx: hidden.columns, rows: 1,
            w: hidden.data.assumingMemoryBound(to: Float.self), k: hidden.columns, y: units,
            ldy: hidden.panelCount * 16)
        unsafe kernels.gemm_f32(&arguments, 0, hidden.panelCount)
        let (weights, bias) = unsafe isGreedy ? greedy : sampled
        var odds = unsafe bias[0]
        for unit in 0..<hidden.rows {
            let value = unsafe units[unit] + hiddenBias[unit]
            // Not max(0, x), which would hide a NaN.
            if !(value <= 0) { unsafe odds += value * weights[unit] }
        }
        return 1 / (1 + tk_expf_ref(-odds))
    }
}
