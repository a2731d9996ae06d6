// SPDX-License-Identifier: Apache-2.0

package import TandemTokenizer

extension Session {
    /// Seconds of primary passes over `rows` given tokens after `position` tokens, one value per repeat.
    ///
    /// What verifying `rows - 1` drafts costs, sampling left out; all rows get logits. Afterwards the session holds the tokens
    /// before, which it then need not run again.
    /// - Parameters:
    ///   - position: tokens that come before, at least 1; `position + rows` must fit the context.
    ///   - rows: 1 ... `maxDraft` + 1.
    /// - Throws: ``TandemError/promptTooLong(tokens:contextSize:)``, ``TandemError/invalidParameter(name:value:allowed:)``,
    ///   ``TandemError/sessionBusy``, ``TandemError/cancelled``.
    package func timePasses(
        rows: Int, after position: Int, repeats: Int, cancellation: CancellationToken? = nil
    ) throws(TandemError) -> [Double] {
        guard position >= 1 else {
            throw .invalidParameter(name: "position", value: "\(position)", allowed: "1 or greater")
        }
        guard rows >= 1 else {
            throw .invalidParameter(name: "rows", value: "\(rows)", allowed: "1 or greater")
        }
        let tokens = Self.plainTokens(position + rows, vocabularySize: model.manifest.primary.vocabularySize)
        var seconds: [Double] = []
        try withDecoder(checking: tokens, blockLength: max(1, rows - 1), cancellation: cancellation) {
            (decoder) throws(TandemError) in
            _ = try decoder.prefill(
                Array(tokens[..<position]), mode: .primary, cancellation: cancellation)
            let block = tokens[position...]
            for _ in 0..<repeats {
                let start = monotonicSeconds()
                try decoder.runLead(
                    block, position: position, logitRows: 0..<rows, cancellation: cancellation)
                seconds.append(monotonicSeconds() - start)
            }
        }
        return seconds
    }

    /// `count` token ids spread over the vocabulary, the same every time: what a benchmark runs.
    package static func plainTokens(_ count: Int, vocabularySize: Int) -> [TokenID] {
        var generator = SeededGenerator(seed: 1)
        return (0..<count).map { _ in
            TokenID(truncatingIfNeeded: generator.next(upperBound: UInt64(vocabularySize)))
        }
    }
}
