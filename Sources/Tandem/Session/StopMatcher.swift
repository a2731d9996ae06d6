// SPDX-License-Identifier: Apache-2.0

/// Finds stop texts in a stream of deltas and holds back what might be the beginning of one.
///
/// The stop text that is complete first ends the stream; of those complete at the same byte, the longest. So the outcome
/// does not depend on where the deltas are cut. Works on UTF-8.
package struct StopMatcher {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []

    package init(stops: [String]) {
        self.stops = stops.map { Array($0.utf8) }
    }

    /// Takes the next delta; returns the text that is safe to show, and whether a stop text was met.
    package mutating func append(_ delta: String) -> (text: String, stopped: Bool) {
        if stops.isEmpty { return (delta, false) }
        held.append(contentsOf: delta.utf8)
        var first: Range<Int>?
        for stop in stops {
            guard let found = Self.find(stop, in: held) else { continue }
            if let best = first, (best.upperBound, best.lowerBound) <= (found.upperBound, found.lowerBound) {
                continue
            }
            first = found
        }
        if let first {
            let text = String(decoding: held[..<first.lowerBound], as: UTF8.self)
            held.removeAll()
            return (text, true)
        }
        let keep = stops.reduce(0) { max($0, Self.overlap(held, $1)) }
        // Never inside a scalar: what is kept begins as a stop text does.
        let cut = held.count - keep
        let text = String(decoding: held[..<cut], as: UTF8.self)
        held.removeSubrange(..<cut)
        return (text, false)
    }

    /// What was held back, once the stream has ended without a stop text.
    package mutating func finish() -> String {
        defer { held.removeAll() }
        return String(decoding: held, as: UTF8.self)
    }

    private static func find(_ needle: [UInt8], in bytes: [UInt8]) -> Range<Int>? {
        guard needle.count <= bytes.count else { return nil }
        for start in 0...(bytes.count - needle.count)
        where bytes[start] == needle[0] && bytes[start..<start + needle.count].elementsEqual(needle) {
            return start..<start + needle.count
        }
        return nil
    }

    /// Length of the longest end of `bytes` that begins `stop`.
    private static func overlap(_ bytes: [UInt8], _ stop: [UInt8]) -> Int {
        var length = min(bytes.count, stop.count - 1)
        while length > 0 {
            if bytes.suffix(length).elementsEqual(stop.prefix(length)) { return length }
            length -= 1
        }
        return 0
    }
}
