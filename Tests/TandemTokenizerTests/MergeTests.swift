// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer
import TestSupport
import Testing

/// Merging against its definition, word lengths past the switch from scan to heap included.
@Suite struct MergeTests {
    @Test func mergesAsDefined() throws {
        var random = SplitMix(seed: 21)
        for round in 0..<60 {
            let model = RandomModel(&random)
            let tokenizer = try Tokenizer(json: model.json.serializedBytes())
            for length in [1, 2, 3, 10, 39, 40, 41, 42, 100, 300] {
                let word = (0..<length).map { _ in ["a", "b", "c"].randomElement(using: &random) ?? "a" }
                let expected = model.merge(word).map { model.tokens.firstIndex(of: $0) ?? -1 }
                let ids = tokenizer.encode(word.joined()).map { Int($0) }
                #expect(ids == expected, "round \(round), \(word.joined())")
            }
        }
    }

    @Test func longWordsTakeNoQuadraticTime() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        let word = String(repeating: "abcdefghij", count: 100_000)
        var count = 0
        let seconds = threadSeconds { count = tokenizer.encode(word).count }
        #expect(count > 100_000)
        // Some 0.3 s; the quadratic way would take hours.
        #expect(seconds < 30)
    }
}

/// A byte-pair model over a, b and c with random merges.
private struct RandomModel {
    var tokens = ["a", "b", "c"]
    var merges: [(String, String)] = []

    init(_ random: inout SplitMix) {
        while merges.count < 25 {
            let left = tokens.randomElement(using: &random) ?? "a"
            let right = tokens.randomElement(using: &random) ?? "a"
            if merges.contains(where: { $0 == (left, right) }) { continue }
            merges.append((left, right))
            if !tokens.contains(left + right) { tokens.append(left + right) }
        }
    }

    /// Of all pairs the one of lowest rank, the leftmost among equals, one at a time.
    func merge(_ word: [String]) -> [String] {
        var word = word
        while true {
            var best: (rank: Int, position: Int)?
            for position in word.indices.dropLast() {
                guard
                    let rank = merges.firstIndex(where: { $0 == (word[position], word[position + 1]) }),
                    rank < best?.rank ?? .max
                else { continue }
                best = (rank, position)
            }
            guard let best else { return word }
            word[best.position] += word[best.position + 1]
            word.remove(at: best.position + 1)
        }
    }

    var json: JSONValue {
        var vocabulary = JSONObject()
        for (id, token) in tokens.enumerated() { vocabulary[token] = .integer(Int64(id)) }
        return [
            "model": [
                "type": "BPE", "vocab": .object(vocabulary),
                "merges": .array(merges.map { [.string($0.0), .string($0.1)] }),
            ]
        ]
    }
}
