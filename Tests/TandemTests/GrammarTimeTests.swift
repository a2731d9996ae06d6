// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemGrammar
import TandemJSON
import TandemTokenizer
import Testing

/// How long masks take while documents are read token by token, with vocabularies as large as models have them.
/// `TANDEM_SHOW_TIMES=1 swift test -c release --filter GrammarTimeTests` prints the figures.
@Suite("Times of masks", .serialized) struct GrammarTimeTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let demo = root.appendingPathComponent("Examples/demo-model/tokenizer.json").path
    /// 50 000 tokens.
    static let large = root.appendingPathComponent(
        "../shared/data/tokenizers/hf/gpt-neox-20b/tokenizer.json"
    ).path

    /// A schema (nil: any object) and a document.
    static let cases: [(name: String, schema: String?, document: String)] = [
        (
            "person",
            #"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},"#
                + #""email":{"type":"string","format":"email"},"tags":{"type":"array","items":{"type":"string"}},"#
                + #""address":{"type":"object","properties":{"street":{"type":"string"},"zip":{"type":"string","#
                + #""pattern":"^[0-9]{5}$"}},"required":["street"]},"status":{"enum":["active","pending"]}},"#
                + #""required":["name","age"]}"#,
            #"{"name": "Ada Lovelace of London", "age": 36, "email": "ada@example.org", "tags": ["mathematics", "#
                + #""poetry", "the first programmer"], "address": {"street": "12 St James Square", "zip": "12345"}, "#
                + #""status": "active"}"#
        ),
        (
            "lengths",
            #"{"type":"object","properties":{"title":{"type":"string","maxLength":60},"summary":{"type":"string","#
                + #""minLength":10,"maxLength":300}},"required":["title","summary"]}"#,
            #"{"title": "Notes on the engine", "summary": "It weaves algebraical patterns just as the loom weaves "#
                + #"flowers and leaves, and it might act upon other things besides number."}"#
        ),
        (
            "any object", nil,
            #"{"menu": {"id": "file", "popup": {"items": [{"value": "New", "onclick": "CreateDoc()"}, {"value": "Open", "#
                + #""onclick": "OpenDoc()"}], "count": 3.25, "ok": true}}}"#
        ),
    ]

    struct Times {
        var first: [Double] = []
        var again: [Double] = []
    }

    @Test("the demo model's vocabulary", .enabled(if: FileManager.default.fileExists(atPath: demo)))
    func demoVocabulary() throws {
        try measure(Tokenizer(json: Array(Data(contentsOf: URL(fileURLWithPath: Self.demo)))), size: nil)
    }

    @Test(
        "50 000 and 128 000 tokens", .enabled(if: FileManager.default.fileExists(atPath: large)),
        arguments: [nil, 128_000])
    func largeVocabulary(_ size: Int?) throws {
        try measure(Tokenizer(json: Array(Data(contentsOf: URL(fileURLWithPath: Self.large)))), size: size)
    }

    /// - Parameter size: the vocabulary is filled up to this size with pairs of short words.
    private func measure(_ tokenizer: Tokenizer, size: Int?) throws {
        let own = tokenizer.vocabularySize
        let words = (0..<Int32(own)).map { tokenizer.textBytes(of: $0, isFirst: false) }
        let short = words.filter {
            (2...6).contains($0.count) && $0.allSatisfy { $0 == 0x20 || $0 > 0x60 && $0 < 0x7B }
        }
        var random = TestRandom(seed: 9)
        let more = (own..<max(own, size ?? 0)).map { _ in
            short[random.index(below: short.count)] + short[random.index(below: short.count)]
        }
        let vocabulary = GrammarVocabulary(size: own + more.count) {
            Int($0) < own ? words[Int($0)] : more[Int($0) - own]
        }
        for test in Self.cases {
            let grammar =
                try test.schema.map { try Grammar(jsonSchema: JSONValue(parsing: Array($0.utf8))) } ?? .json
            let matcher = GrammarMatcher(grammar: grammar, vocabulary: vocabulary, endTokens: [])
            let ids = tokenizer.encode(test.document, addSpecialTokens: false)
            let times = Times(first: try read(ids, matcher), again: try read(ids, matcher))
            show("\(vocabulary.size) tokens, \(test.name)", times)
            // Processor time, with much room for busy machines.
            #expect(times.first[times.first.count / 2] < 0.002 && times.first.last ?? 0 < 0.1)
            #expect(times.again[times.again.count / 2] < 0.000_05)
        }
    }

    /// The times of the masks before every token, the least first.
    private func read(_ ids: [TokenID], _ matcher: GrammarMatcher) throws -> [Double] {
        var state = try matcher.start()
        var times: [Double] = []
        for id in ids {
            let start = processorSeconds()
            let mask = try state.mask()
            times.append(processorSeconds() - start)
            #expect(try mask.allows(id) && state.advance(id))
        }
        #expect(state.mustEnd)
        return times.sorted()
    }

    private func processorSeconds() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private func show(_ name: String, _ times: Times) {
        guard ProcessInfo.processInfo.environment["TANDEM_SHOW_TIMES"] != nil else { return }
        let first = times.first.map { Int(($0 * 1e6).rounded()) }
        let again = times.again.map { Int(($0 * 1e9).rounded()) }
        print(
            "\(name): median \(first[first.count / 2]) us, 90 % \(first[first.count * 9 / 10]) us, worst \(first.last ?? 0) us;"
                + " again \(again[again.count / 2]) ns")
    }
}
