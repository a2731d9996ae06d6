// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

extension Session {
    /// Runs a text through both models, as ``logits(tokens:blockLength:cancellation:visit:)`` does, and adds what every
    /// matrix multiplies to `recorder`.
    ///
    /// In a tandem the secondary's keys and values are recorded for what the primary gives them as well as for its own
    /// inputs, in the proportion in which the block length uses them.
    /// - Throws: as ``logits(tokens:blockLength:cancellation:visit:)``.
    package func recordInputs(
        tokens: [TokenID], blockLength: Int, into recorder: InputRecorder,
        cancellation: CancellationToken? = nil
    ) throws(TandemError) {
        try withDecoder(checking: tokens, blockLength: blockLength, cancellation: cancellation) {
            (decoder) throws(TandemError) in
            decoder.inputRecorder = recorder
            defer { decoder.inputRecorder = nil }
            try unsafe decoder.score(tokens, blockLength: blockLength, cancellation: cancellation) {
                _, _, _ in
            }
        }
    }
}
