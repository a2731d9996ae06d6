// SPDX-License-Identifier: Apache-2.0

/// Finds stop texts in a stream of deltas and holds back what might be the beginning of one.
///
/// Works on UTF-8, so a stop text is found wherever the deltas are cut.
struct StopMatcher {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []

    init(stops: [String]) {
        self.stops = stops.map { Array($0.utf8) }
    }

    /// Takes the next delta; returns the text that is safe to show, and whether a stop text was met.
    mutating func append(_ delta: String) -> (text: String, stopped: Bool) {
        if stops.isEmpty { return (delta, false) }
        held.append(contentsOf: delta.utf8)
        var first: Int?
        for stop in stops {
            if let index = Self.find(stop, in: held) { first = min(first ?? index, index) }
        }
        if let first {
            let text = String(decoding: held[..<first], as: UTF8.self)
            held.removeAll()
            return (text, true)
        }
        let keep = stops.reduce(0) { max($0, Self.overlap(held, $1)) }
        var cut = held.count - keep
        // Never cut inside a scalar: held bytes come from whole strings, so this only backs over the held part.
        while cut > 0, cut < held.count, held[cut] & 0xC0 == 0x80 { cut -= 1 }
        let text = String(decoding: held[..<cut], as: UTF8.self)
        held.removeSubrange(..<cut)
        return (text, false)
    }

    /// What was held back, once the stream has ended without a stop text.
    mutating func finish() -> String {
        defer { held.removeAll() }
        return String(decoding: held, as: UTF8.self)
    }

    private static func find(_ needle: [UInt8], in bytes: [UInt8]) -> Int? {
        guard needle.count <= bytes.count else { return nil }
        for start in 0...(bytes.count - needle.count)
        where bytes[start] == needle[0] && bytes[start..<start + needle.count].elementsEqual(needle) {
            return start
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
