// SPDX-License-Identifier: Apache-2.0

internal import TandemTokenizer

/// RoPE whose frequencies depend on the length of the text (`long_above`).
///
/// All positions of a text turn by the frequencies of its length at the time. Once it grows beyond a limit, every key
/// made before is void, and the text is run again. So the logits after n tokens are the same however they were reached.
extension Decoder {
    /// Texts with the same number use the same frequencies: how many limits a text of `length` tokens exceeds.
    func ropeStage(length: Int) -> Int { core.ropeLimits.count { $0 < length } }

    /// How many tokens a text of `length` tokens may gain before frequencies change.
    func ropeRoom(afterLength length: Int) -> Int {
        (core.ropeLimits.first { $0 >= length } ?? Int.max) - length
    }

    /// Takes the frequencies of a text of `length` tokens. Where they change, the caches' contents are forgotten.
    func selectRope(length: Int) {
        guard ropeStage(length: length) != ropeStage(length: ropeLength) else { return }
        reset()
        ropeLength = length
        primaryCache?.selectRope(textLength: length)
        secondaryCache?.selectRope(textLength: length)
    }

    /// Before the text grows to `length` tokens: where frequencies change, runs the committed tokens again.
    func extendRope(toLength length: Int, mode: DecodingMode, cancellation: CancellationToken?)
        throws(TandemError)
    {
        guard ropeStage(length: length) != ropeStage(length: ropeLength) else { return }
        _ = try prefill(tokens, forLength: length, mode: mode, cancellation: cancellation)
    }
}
