// SPDX-License-Identifier: Apache-2.0

public import TandemTokenizer

/// What a generation stream yields.
public enum Generation: Sendable, Equatable {
    /// The next piece of text (a delta, not the whole) and its tokens.
    case delta(GenerationDelta)
    /// The last element: the outcome.
    case completed(GenerationResult)
}

/// What a generation has made since the delta before.
public struct GenerationDelta: Sendable, Equatable {
    /// New text, always whole Unicode scalars. Empty only where log-probabilities were asked for and the new tokens' text is
    /// held back: it may be part of a scalar or of a stop text.
    public let text: String
    /// Tokens generated since the delta before, those included whose text is held back and those without text. The tokens
    /// after the last text, such as an end token, come in a delta only where log-probabilities were asked for.
    public let tokens: [GeneratedToken]

    public init(text: String, tokens: [GeneratedToken]) {
        self.text = text
        self.tokens = tokens
    }
}

/// A token that a generation has produced.
public struct GeneratedToken: Sendable, Equatable {
    /// The token's number in the vocabulary.
    public let id: TokenID
    /// The token's text in UTF-8, perhaps a part of a scalar; empty when the file has no tokenizer.
    public let bytes: [UInt8]
    /// Natural logarithm of the probability that the model gave the token; `nil` unless asked for.
    public let logprob: Float?
    /// The most probable tokens of that place, the best first; as many as were asked for.
    public let top: [TokenLogprob]

    public init(id: TokenID, bytes: [UInt8], logprob: Float? = nil, top: [TokenLogprob] = []) {
        self.id = id
        self.bytes = bytes
        self.logprob = logprob
        self.top = top
    }
}

/// A token and the probability that the model gave it.
public struct TokenLogprob: Sendable, Equatable {
    /// The token's number in the vocabulary.
    public let id: TokenID
    /// The token's text in UTF-8, perhaps a part of a scalar; empty when the file has no tokenizer.
    public let bytes: [UInt8]
    /// Natural logarithm of the probability.
    public let logprob: Float

    public init(id: TokenID, bytes: [UInt8], logprob: Float) {
        self.id = id
        self.bytes = bytes
        self.logprob = logprob
    }
}
