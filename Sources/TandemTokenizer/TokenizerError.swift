// SPDX-License-Identifier: Apache-2.0

/// Why a tokenizer could not be built.
///
/// `path` names the place in `tokenizer.json` the way a program would reach it, such as
/// `pre_tokenizer.pretokenizers[1].pattern`.
public enum TokenizerError: Error, Sendable, Equatable {
    /// The text is no JSON; `reason` says why and at which byte.
    case malformedJSON(reason: String)
    /// A required field is absent or null.
    case missingField(path: String)
    /// A field holds another kind of value than expected.
    case wrongType(path: String, expected: String)
    /// A field holds a value this library does not implement.
    case unsupported(path: String, value: String, supported: String)
    /// A pattern is no valid regular expression, or uses what this library does not implement; `reason` continues
    /// "the pattern …".
    case unsupportedPattern(path: String, pattern: String, reason: String)
    /// A token's id is negative or too large.
    case idOutOfRange(path: String, token: String, id: Int, limit: Int)
    /// Two tokens have one id.
    case duplicateID(path: String, id: Int, first: String, second: String)
    /// An added token's id differs from the id its text has in the vocabulary.
    case conflictingID(path: String, token: String, id: Int, vocabularyID: Int)
    /// A token's text is longer than the limit.
    case tokenTooLong(path: String, bytes: Int, limit: Int)
    /// A merge is not two tokens.
    case malformedMerge(path: String)
    /// A token that is referred to is not in the vocabulary.
    case unknownToken(path: String, token: String)
    /// The vocabulary has no tokens.
    case emptyVocabulary(path: String)
}

extension TokenizerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedJSON(let reason):
            return "the tokenizer is not valid JSON: \(reason)"
        case .missingField(let path):
            return "the tokenizer has no \(path)"
        case .wrongType(let path, let expected):
            return "the tokenizer's \(path) is not \(expected)"
        case .unsupported(let path, let value, let supported):
            return "the tokenizer's \(path) is \(value), which is not supported; supported: \(supported)"
        case .unsupportedPattern(let path, let pattern, let reason):
            return
                "the tokenizer's \(path) is not supported: the pattern \(reason): \(Self.excerpt(pattern, 400))"
        case .idOutOfRange(let path, let token, let id, let limit):
            return "the token \"\(Self.excerpt(token))\" in \(path) has the id \(id); "
                + "ids must be 0 ..< \(limit) for a vocabulary of this size"
        case .duplicateID(let path, let id, let first, let second):
            return "the id \(id) in \(path) belongs to both \"\(Self.excerpt(first))\" and "
                + "\"\(Self.excerpt(second))\""
        case .conflictingID(let path, let token, let id, let vocabularyID):
            return "the token \"\(Self.excerpt(token))\" has the id \(id) in \(path) and "
                + "\(vocabularyID) in the vocabulary"
        case .tokenTooLong(let path, let bytes, let limit):
            return "a token in \(path) has \(bytes) bytes; the limit is \(limit)"
        case .malformedMerge(let path):
            return "the tokenizer's \(path) is not a pair of tokens"
        case .unknownToken(let path, let token):
            return "the tokenizer's \(path) names \"\(Self.excerpt(token))\", which is not in the vocabulary"
        case .emptyVocabulary(let path):
            return "the tokenizer's \(path) has no tokens"
        }
    }

    private static func excerpt(_ text: String, _ length: Int = 60) -> String {
        text.unicodeScalars.count > length ? String(text.prefix(length)) + "…" : text
    }
}
