// SPDX-License-Identifier: Apache-2.0

/// What a tokenizer does to a text before it is cut into words.
struct Normalizer: Sendable {
    enum Step: Sendable {
        case form(UnicodeForm)
        case lowercase
        /// Drops combining marks.
        case stripAccents
        /// Drops control characters and makes white space of all kinds a space.
        case cleaned
        /// Put in front of any text but an empty one where `scheme` says.
        case prepend([UInt8], PrependScheme)
        /// Every occurrence of `pattern`, which is not empty.
        case replace(pattern: [UInt8], content: [UInt8])
        case replaceMatches(SplitPattern, content: [UInt8])
        /// White space at either end.
        case strip(left: Bool, right: Bool)
        /// A character map made by SentencePiece.
        case precompiled(PrecompiledMap)
        /// Every byte as the character that stands for it in byte-level vocabularies.
        case byteLevel
    }

    /// Where a prefix goes. Only the first is known to the reference implementation; the packer uses the others for
    /// vocabularies of SentencePiece.
    enum PrependScheme: String, Sendable, CaseIterable {
        /// Before every text between added tokens.
        case always
        /// Before the beginning of the input, an added token there included.
        case first
        /// Like `first`, and before a text behind a control token.
        case firstOrSpecial = "first_or_special"
    }

    /// Where in the input a text stands.
    struct Place: Sendable {
        let startsInput: Bool
        var followsSpecial = false
        /// Whether normalising dropped the beginning.
        var lostStart = false
    }

    let steps: [Step]

    /// What goes before an input that begins with an added token that is no control token.
    var lonePrefix: [UInt8]? {
        for step in steps {
            if case .prepend(let prefix, let scheme) = step { return scheme == .always ? nil : prefix }
        }
        return nil
    }

    /// The normalised form of valid UTF-8.
    func apply(_ text: [UInt8]) -> [UInt8] {
        var place = Place(startsInput: true)
        return apply(text, &place)
    }

    /// The same for a text at a place.
    func apply(_ text: [UInt8], _ place: inout Place) -> [UInt8] {
        var text = text
        for step in steps {
            switch step {
            case .form(let form): text = form.apply(text)
            case .lowercase: text = Self.lowercased(text)
            case .stripAccents:
                text = Self.filtered(text, &place.lostStart) { MarkSet.contains($0) ? nil : $0 }
            case .cleaned: text = Self.filtered(text, &place.lostStart, Self.cleaned)
            case .prepend(let prefix, let scheme):
                let isWanted =
                    scheme == .always || place.startsInput
                    || (scheme == .firstOrSpecial && place.followsSpecial)
                if isWanted && !text.isEmpty { text.insert(contentsOf: prefix, at: 0) }
            case .replace(let pattern, let content):
                if content.isEmpty && text.starts(with: pattern) { place.lostStart = true }
                text = ByteReplacement.replacing(pattern, with: content, in: text)
            case .replaceMatches(let pattern, let content):
                if content.isEmpty && pattern.matchesStart(of: text) { place.lostStart = true }
                text = ByteReplacement.replacing(pattern, with: content, in: text)
            case .strip(let left, let right):
                text = Self.stripped(text, left: left, right: right, &place.lostStart)
            case .precompiled(let map): text = map.apply(text)
            case .byteLevel: text = ByteAlphabet.spelt(text)
            }
        }
        return text
    }

    private static func lowercased(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            if scalar.isASCII {
                let byte = UInt8(truncatingIfNeeded: scalar.value)
                result.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
            } else {
                result.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
            }
        }
        return result
    }

    /// Every scalar replaced by another, or dropped.
    private static func filtered(
        _ text: [UInt8], _ lostStart: inout Bool, _ change: (UInt32) -> UInt32?
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        let bytes = text.span
        var offset = 0
        while offset < bytes.count {
            let (value, length) = ScalarReader.scalar(bytes, at: offset)
            if let changed = change(value) {
                if changed == value {
                    for index in offset..<offset &+ length { result.append(bytes[index]) }
                } else {
                    UnicodeForm.append(changed, to: &result)
                }
            } else if offset == 0 {
                lostStart = true
            }
            offset &+= length
        }
        return result
    }

    private static func cleaned(_ value: UInt32) -> UInt32? {
        switch value {
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: nil
        case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: 0x20
        default: value
        }
    }

    private static func stripped(
        _ text: [UInt8], left: Bool, right: Bool, _ lostStart: inout Bool
    ) -> [UInt8] {
        let bytes = text.span
        let ascii = ScalarClass.ascii
        var start = 0
        var end = bytes.count
        while left && start < end {
            let (found, length) = ScalarReader.scalarClass(bytes, at: start, ascii: ascii)
            guard found.contains(.space) else { break }
            start &+= length
            lostStart = true
        }
        while right && end > start {
            let last = ScalarReader.start(ofScalarEndingAt: end, bytes)
            guard ScalarReader.scalarClass(bytes, at: last, ascii: ascii).scalarClass.contains(.space) else {
                break
            }
            end = last
        }
        return Array(text[start..<end])
    }
}
