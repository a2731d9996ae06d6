// SPDX-License-Identifier: Apache-2.0

extension Tokenizer {
    /// The tokens of a rendered conversation.
    ///
    /// Control tokens count where the template wrote them. Where they are spelt out in a message, a tool or a document,
    /// they are plain text, so that nobody can end a turn or speak for another role by typing its marks. The reference
    /// takes them for control tokens everywhere; for texts without such marks the ids are the same.
    ///
    /// Nothing is put around the text: templates write the beginning token themselves.
    public func encode(_ prompt: ChatPrompt) -> [TokenID] {
        encode(prompt.text, addSpecialTokens: false, parseSpecial: true, plain: prompt.contentRanges)
    }
}
