// SPDX-License-Identifier: Apache-2.0

/// Cuts a text into the words inside which merges happen.
struct PreTokenizer: Sendable {
    enum PrependScheme: String, Sendable, CaseIterable {
        case always, first, never
    }

    enum Step: Sendable {
        /// A space before every piece that does not start with one.
        case prefixSpace
        case split(SplitMatcher, SplitBehavior, invert: Bool)
        /// Spaces become `replacement`, one goes first as `scheme` says, and pieces start with it when
        /// `split`.
        case metaspace(replacement: [UInt8], scheme: PrependScheme, split: Bool)
        /// Bytes become the characters that stand for them in byte-level vocabularies; steps behind this one see
        /// those.
        case spellBytes
    }

    let steps: [Step]
    /// Whether words are mapped byte by byte to the byte-level alphabet.
    let isByteLevel: Bool

    static let none = PreTokenizer(steps: [], isByteLevel: false)

    /// The only step when it is a plain split into words: it needs no copies.
    var singlePattern: WordPattern? {
        if steps.count == 1, case .split(.words(let pattern), .isolated, _) = steps[0] { return pattern }
        return nil
    }

    /// The words of a text. `startsInput`: whether it is the beginning of what the user passed.
    func words(of text: Span<UInt8>, startsInput: Bool) -> Pieces {
        var pieces = Pieces(text)
        for step in steps {
            switch step {
            case .prefixSpace:
                pieces.prepend([0x20], unlessFirst: 0x20)
            case .split(let matcher, let behavior, let invert):
                pieces.split(matcher, behavior, invert: invert)
            case .metaspace(let replacement, let scheme, let split):
                pieces.applyMetaspace(
                    replacement, scheme: scheme, split: split, startsInput: startsInput)
            case .spellBytes:
                pieces.spellBytes()
            }
        }
        pieces.restoreBytes()
        return pieces
    }
}
