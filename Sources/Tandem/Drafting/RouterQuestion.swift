// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels

/// Asks a pass of the secondary how likely the draft after its first wanted row is to be kept, and takes the answer.
///
/// The pass answers, because the embeddings that the router looks at are the pass's. It sees the distribution at
/// temperature 1 over the tokens of both models, before anything is drawn from it.
///
/// Thread safety: none; whoever asks leaves it alone until the pass is over.
final class RouterQuestion {
    /// Whether drafts are kept when both models prefer the same token, not by chance.
    var isGreedy = true
    /// The estimate, 0 … 1; NaN where logits are no numbers.
    private(set) var answer: Float = 0
    private var inputs = RouterInputs()
    private var probabilities: [Float] = []
    private var scratch: [Float] = []

    /// - Parameter logits: of the row, [at least the router's vocabulary].
    func ask(_ router: RouterWeights, logits: UnsafePointer<Float>, embedding: Matrix, kernels: tk_kernels) {
        let count = router.vocabularySize
        if scratch.isEmpty {
            scratch = [Float](repeating: 0, count: router.scratchCount)
            probabilities = [Float](repeating: 0, count: count)
        }
        answer = unsafe probabilities.withUnsafeMutableBufferPointer { probabilities in
            unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                guard let probabilities = probabilities.baseAddress, let scratch = scratch.baseAddress else {
                    return 0
                }
                unsafe probabilities.update(from: logits, count: count)
                unsafe kernels.softmax(probabilities, count, 1)
                unsafe inputs.write(
                    probabilities: probabilities, logits: logits, router: router, embedding: embedding,
                    into: scratch)
                return unsafe router.estimate(scratch, isGreedy: isGreedy, kernels: kernels)
            }
        }
    }
}
