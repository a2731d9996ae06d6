// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

@Suite("Stop texts") struct StopMatcherTests {
    /// Feeds deltas; returns what was shown, piece by piece, and whether a stop text was met.
    private func run(_ stops: [String], _ deltas: [String]) -> (shown: [String], stopped: Bool) {
        var matcher = StopMatcher(stops: stops)
        var shown: [String] = []
        for delta in deltas {
            let (text, stopped) = matcher.append(delta)
            shown.append(text)
            if stopped { return (shown, true) }
        }
        shown.append(matcher.finish())
        return (shown, false)
    }

    @Test("nothing is held back without stop texts")
    func none() {
        let (shown, stopped) = run([], ["a", "", "bc"])
        #expect(shown == ["a", "", "bc", ""] && !stopped)
    }

    @Test("only what may begin a stop text is held back")
    func holding() {
        let (shown, stopped) = run(["END"], ["one E", "N", "x E", "EN", "d"])
        #expect(shown == ["one ", "", "ENx ", "E", "ENd", ""] && !stopped)
    }

    @Test("what is held back comes at the end")
    func tail() {
        let (shown, stopped) = run(["stop", "tomorrow"], ["no s", "to"])
        #expect(shown == ["no ", "", "sto"] && !stopped)
    }

    /// The same outcome wherever the text is cut into deltas.
    @Test(
        "cuts do not matter",
        arguments: [
            (["END"], "the END of it", "the "),
            (["abcd", "bc"], "xabcd", "xa"),
            (["bc", "abc"], "xabcd", "x"),
            (["abc", "c"], "xxabc", "xx"),
            (["aab"], "aaaaab!", "aaa"),
            (["abab"], "abaabab", "aba"),
            (["\n\nUser:", "\n"], "a\n\nUser: b", "a"),
            (["ende", "Ende", "🌙✨"], "éü🌙🌙✨ende", "éü🌙"),
            (["é"], "cafe\u{301} café", "cafe\u{301} caf"),
            (["x"], "x", ""),
            (["never"], "neve rnevr", "neve rnevr"),
            (["Z"], "", ""),
        ])
    func cuts(stops: [String], text: String, expected: String) {
        let scalars = Array(text.unicodeScalars)
        let isMet = !expected.utf8.elementsEqual(text.utf8)
        let masks = scalars.count > 1 ? 1 << min(scalars.count - 1, 11) : 1
        for mask in 0..<masks {
            var deltas = [""]
            for (index, scalar) in scalars.enumerated() {
                if index > 0, mask >> ((index - 1) % 11) & 1 == 1 { deltas.append("") }
                deltas[deltas.count - 1].unicodeScalars.append(scalar)
            }
            let (shown, stopped) = run(stops, deltas)
            // Bytes, because the comparison of strings takes composed and decomposed letters as equal.
            #expect(shown.joined().utf8.elementsEqual(expected.utf8), "\(deltas)")
            #expect(stopped == isMet, "\(deltas)")
        }
    }

    @Test("random texts against a plain search")
    func random() {
        var random = TestRandom(seed: 3)
        for _ in 0..<3000 {
            let letters = (0..<random.index(below: 14)).map { _ in "abé"[random.index(below: 3)] }
            let stops = (0..<1 + random.index(below: 3)).map { _ in
                String((0...random.index(below: 4)).map { _ in "abé"[random.index(below: 3)] })
            }
            var deltas: [String] = [""]
            for letter in letters {
                if random.uniform() < 0.5 { deltas.append("") }
                deltas[deltas.count - 1].append(letter)
            }
            let (shown, stopped) = run(stops, deltas)
            // The stop text that ends first, of those the longest.
            var expected: String?
            for end in 0...letters.count where expected == nil {
                for start in 0..<end where expected == nil && stops.contains(String(letters[start..<end])) {
                    expected = String(letters[..<start])
                }
            }
            #expect(shown.joined() == expected ?? String(letters), "\(stops) in \(deltas)")
            #expect(stopped == (expected != nil))
        }
    }
}

extension String {
    fileprivate subscript(offset: Int) -> Character { self[index(startIndex, offsetBy: offset)] }
}
