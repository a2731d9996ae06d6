// SPDX-License-Identifier: Apache-2.0

extension Tokenizer {
    /// The tokens of a text. Linear in its length, but O(n log n) in the length of a single word.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: puts the model's own tokens around the text, such as a beginning-of-sequence
    ///     token, where the tokenizer asks for them.
    ///   - parseSpecial: takes control tokens that are spelt out in the text for control tokens, as the
    ///     reference does. Pass `false` for text from users who must not be able to write them.
    public func encode(
        _ text: String, addSpecialTokens: Bool = true, parseSpecial: Bool = true
    ) -> [TokenID] {
        encode(text, addSpecialTokens: addSpecialTokens, parseSpecial: parseSpecial, plain: [])
    }

    /// The tokens of a text in which control tokens count only outside of some stretches.
    ///
    /// - Parameter plain: byte ranges in order, apart from each other; a control token that touches one is plain text.
    func encode(
        _ text: String, addSpecialTokens: Bool, parseSpecial: Bool, plain: [Range<Int>]
    ) -> [TokenID] {
        var ids: [TokenID] = []
        ids.reserveCapacity(text.utf8.count / 3 + 4)
        if addSpecialTokens { ids.append(contentsOf: postProcessor.prefix) }

        let bytes = Array(text.utf8)
        var workspace = EncodeWorkspace()
        if addedTokens.isEmpty {
            encodeText(
                bytes, 0..<bytes.count, followsSpecial: false, parseSpecial: parseSpecial && plain.isEmpty,
                &workspace, into: &ids)
        } else {
            var followsSpecial = false
            for segment in addedTokens.segments(bytes.span, parseSpecial: parseSpecial, plain: plain) {
                if let token = segment.token {
                    if segment.range.lowerBound == 0 && !token.isSpecial, let prefix = normalizer?.lonePrefix
                    {
                        model.encode(prefix.span, vocabulary, &workspace, into: &ids)
                    }
                    ids.append(token.id)
                    followsSpecial = token.isSpecial
                } else {
                    // Normalising moves offsets, so what is found only then is text wherever a plain stretch is near.
                    let isPlain = AddedTokenMatcher.touches(segment.range, plain)
                    encodeText(
                        bytes, segment.range, followsSpecial: followsSpecial,
                        parseSpecial: parseSpecial && !isPlain, &workspace, into: &ids)
                }
            }
        }
        if addSpecialTokens { ids.append(contentsOf: postProcessor.suffix) }
        return ids
    }

    /// Normalises a stretch of the input and looks for the added tokens that are found only then.
    private func encodeText(
        _ input: [UInt8], _ range: Range<Int>, followsSpecial: Bool, parseSpecial: Bool,
        _ workspace: inout EncodeWorkspace, into ids: inout [TokenID]
    ) {
        var place = Normalizer.Place(startsInput: range.lowerBound == 0, followsSpecial: followsSpecial)
        guard let normalizer else {
            encodeNormalized(
                input.span.extracting(range), startsInput: place.startsInput, parseSpecial: parseSpecial,
                &workspace,
                into: &ids)
            return
        }
        let normalized = normalizer.apply(Array(input[range]), &place)
        encodeNormalized(
            normalized.span, startsInput: place.startsInput && !place.lostStart, parseSpecial: parseSpecial,
            &workspace,
            into: &ids)
    }

    private func encodeNormalized(
        _ text: Span<UInt8>, startsInput: Bool, parseSpecial: Bool, _ workspace: inout EncodeWorkspace,
        into ids: inout [TokenID]
    ) {
        if normalizedAddedTokens.isEmpty {
            encodeWords(text, startsInput: startsInput, &workspace, into: &ids)
            return
        }
        for segment in normalizedAddedTokens.segments(text, parseSpecial: parseSpecial) {
            if let token = segment.token {
                ids.append(token.id)
            } else {
                encodeWords(
                    text.extracting(segment.range), startsInput: startsInput && segment.range.lowerBound == 0,
                    &workspace, into: &ids)
            }
        }
    }

    private func encodeWords(
        _ text: Span<UInt8>, startsInput: Bool, _ workspace: inout EncodeWorkspace, into ids: inout [TokenID]
    ) {
        if preTokenizer.steps.isEmpty {
            model.encode(text, vocabulary, &workspace, into: &ids)
        } else if let pattern = preTokenizer.singlePattern {
            let ascii = ScalarClass.ascii
            var start = 0
            while start < text.count {
                let end = pattern.end(text, from: start, ascii: ascii)
                model.encode(text.extracting(start..<end), vocabulary, &workspace, into: &ids)
                start = end
            }
        } else {
            let pieces = preTokenizer.words(of: text, startsInput: startsInput)
            for range in pieces.ranges {
                model.encode(pieces.text.span.extracting(range), vocabulary, &workspace, into: &ids)
            }
        }
    }
}
