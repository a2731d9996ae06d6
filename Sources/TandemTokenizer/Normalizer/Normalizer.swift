// SPDX-License-Identifier: Apache-2.0

/// What a tokenizer does to a text before it is cut into words.
struct Normalizer: Sendable {
    enum Step: Sendable {
        case composed
        case decomposed
        case lowercase
        /// Put in front of any text but an empty one.
        case prepend([UInt8])
        /// Every occurrence of `pattern`, which is not empty.
        case replace(pattern: [UInt8], content: [UInt8])
        /// White space at either end.
        case strip(left: Bool, right: Bool)
    }

    let steps: [Step]

    /// The normalised form of valid UTF-8.
    func apply(_ text: [UInt8]) -> [UInt8] {
        var text = text
        for step in steps {
            switch step {
            case .composed: text = CanonicalForm.composed(text)
            case .decomposed: text = CanonicalForm.decomposed(text)
            case .lowercase: text = Self.lowercased(text)
            case .prepend(let prefix): if !text.isEmpty { text.insert(contentsOf: prefix, at: 0) }
            case .replace(let pattern, let content): text = Self.replacing(pattern, with: content, in: text)
            case .strip(let left, let right): text = Self.stripped(text, left: left, right: right)
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

    private static func replacing(_ pattern: [UInt8], with content: [UInt8], in text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count &+ text.count / 4)
        var offset = 0
        while offset < text.count {
            if text[offset] == pattern[0] && text[offset...].starts(with: pattern) {
                result.append(contentsOf: content)
                offset &+= pattern.count
            } else {
                result.append(text[offset])
                offset &+= 1
            }
        }
        return result
    }

    private static func stripped(_ text: [UInt8], left: Bool, right: Bool) -> [UInt8] {
        let bytes = text.span
        let ascii = ScalarClass.ascii
        var start = 0
        var end = bytes.count
        while left && start < end {
            let (found, length) = ScalarReader.scalarClass(bytes, at: start, ascii: ascii)
            guard found.contains(.space) else { break }
            start &+= length
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
