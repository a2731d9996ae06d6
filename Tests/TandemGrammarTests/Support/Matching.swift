// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import TandemJSON

/// Random numbers that are the same in every run.
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func pick<T>(_ list: [T]) -> T { list[below(list.count)] }
}

/// A vocabulary of these tokens; the last id is the end token and has no bytes.
struct TestVocabulary {
    let tokens: [[UInt8]]
    let vocabulary: GrammarVocabulary

    var end: Int32 { Int32(tokens.count) }

    init(_ tokens: [[UInt8]]) {
        self.tokens = tokens
        vocabulary = GrammarVocabulary(size: tokens.count + 1) {
            Int($0) < tokens.count ? tokens[Int($0)] : []
        }
    }

    /// Every byte, and some longer pieces, those that split characters among them.
    static func random(_ random: inout TestRandom, pieces: [String]) -> TestVocabulary {
        var tokens = (0...255).map { [UInt8($0)] }
        for _ in 0..<120 {
            var bytes: [UInt8] = []
            for _ in 0...random.below(3) { bytes += Array(random.pick(pieces).utf8) }
            let first = random.below(min(3, bytes.count))
            let last = max(first + 1, bytes.count - random.below(3))
            tokens.append(Array(bytes[first..<min(last, bytes.count)]))
        }
        return TestVocabulary(tokens)
    }

    static let bytes = TestVocabulary((0...255).map { [UInt8($0)] })

    func start(_ grammar: Grammar) throws -> GrammarState {
        try GrammarMatcher(grammar: grammar, vocabulary: vocabulary, endTokens: [end]).start()
    }
}

extension Grammar {
    /// Whether a text matches, and whether it at least begins one that does.
    func match(_ bytes: [UInt8]) throws -> (isPrefix: Bool, isWhole: Bool) {
        var state = try TestVocabulary.bytes.start(self)
        for byte in bytes where try !state.advance(Int32(byte)) { return (false, false) }
        return (true, state.mayEnd)
    }

    func accepts(_ text: String) throws -> Bool { try match(Array(text.utf8)).isWhole }

    init(schema text: String) throws {
        try self.init(jsonSchema: JSONValue(parsing: Array(text.utf8)))
    }
}
