// SPDX-License-Identifier: Apache-2.0

/// A token that is found in the text itself, before it is cut into words.
struct AddedToken: Sendable, Equatable {
    var content: String
    var id: TokenID
    /// Matches only between non-word characters.
    var isSingleWord = false
    /// Takes the white space before it.
    var stripsLeft = false
    /// Takes the white space after it.
    var stripsRight = false
    /// Is looked for after normalisation, in its own normalised form.
    var isNormalized = false
    /// Is a control token: invisible when special tokens are skipped, plain text when they are not parsed.
    var isSpecial = false
}
