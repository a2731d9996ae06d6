// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import Testing

@Suite struct MaskTests {
    /// Masks of random grammars and vocabularies against a matcher that is simple and slow.
    @Test(arguments: 0..<120)
    func masksAreThoseOfANaiveMatcher(_ seed: Int) throws {
        var random = TestRandom(UInt64(seed) + 7)
        let naive = NaiveGrammar(&random)
        let grammar: Grammar
        do {
            grammar = try Grammar(gbnf: naive.gbnf)
        } catch {
            // A rule before which everything may be missing; the naive matcher would not end either.
            guard case .leftRecursion = error else { throw error }
            return
        }
        let pieces = NaiveGrammar.alphabet.map { String($0) }
        let vocabulary = TestVocabulary.random(&random, pieces: pieces)
        var state = try vocabulary.start(grammar)
        var rests = naive.start
        var pending: [UInt8] = []
        for _ in 0..<12 {
            let mask = try state.mask()
            var allowed: [Int32] = []
            for (id, bytes) in vocabulary.tokens.enumerated() {
                let expected = naive.mayFollow(bytes, rests, pending: pending)
                #expect(mask.allows(Int32(id)) == expected, "\(naive.gbnf) \(bytes)")
                #expect(try state.allows(Int32(id)) == expected)
                if expected { allowed.append(Int32(id)) }
            }
            let mayEnd = pending.isEmpty && naive.mayEnd(rests)
            #expect(mask.allows(vocabulary.end) == mayEnd && state.mayEnd == mayEnd)
            #expect(mask.count == allowed.count + (mayEnd ? 1 : 0))
            #expect(state.mustEnd == allowed.isEmpty)
            guard !allowed.isEmpty else { break }
            let token = random.pick(allowed)
            #expect(try state.advance(token))
            pending += vocabulary.tokens[Int(token)]
            while let scalar = NaiveGrammar.alphabet.first(where: {
                pending.starts(with: UTF8.encode($0) ?? .init())
            }) {
                rests = naive.after(scalar, rests)
                pending.removeFirst(UTF8.encode(scalar)?.count ?? 1)
            }
        }
    }

    /// Masks are made from those of like states; here counts and depths that tokens reach and do not reach.
    @Test(arguments: [
        #"root ::= ("[" [ab]{3,50} "]" | "<" [ab]{40} ">"){1,60}"#,
        "root ::= a{20,45} \".\"\na ::= \"(\" b{0,30} \")\" | [ab]{2,} \"-\"\nb ::= \"<\" a? \">\" | \"a\"",
        "root ::= \"(\" root{0,40} \")\" | \"[\" root \"]\" | [ab]{0,25} \".\"",
    ])
    func countsAndContexts(_ text: String) throws {
        var random = TestRandom(11)
        var tokens = "()[]<>-.ab".utf8.map { [$0] }
        let all = Array("()[]<>-.".utf8)
        for _ in 0..<300 {
            var token = (0..<random.below(40)).map { _ in random.pick(Array("ab".utf8)) }
            for _ in 0...random.below(3) { token.insert(random.pick(all), at: random.below(token.count + 1)) }
            tokens.append(token)
        }
        for count in 1...40 { tokens.append(Array(repeating: 0x61, count: count)) }
        tokens += ["))))", "(((", "]]]]]]]]]]]]]]]]]]", "[[[[[[[[[[[[[[[[[[", "><", ")(", "><a", "]<a"].map {
            Array($0.utf8)
        }
        let vocabulary = TestVocabulary(tokens)
        for _ in 0..<6 {
            var state = try vocabulary.start(Grammar(gbnf: text))
            for step in 0..<250 {
                let mask = try state.mask()
                for id in 0..<vocabulary.end { #expect(try mask.allows(id) == state.allows(id), "\(step)") }
                let allowed = (0..<vocabulary.end).filter { mask.allows($0) }
                guard !allowed.isEmpty else { break }
                _ = try state.advance(random.pick(random.chance(30) ? allowed : Array(allowed.prefix(6))))
            }
        }
    }

    @Test func statesGoTheirOwnWays() throws {
        let vocabulary = TestVocabulary([Array("a".utf8), Array("b".utf8), Array("ab".utf8)])
        var state = try vocabulary.start(Grammar(gbnf: "root ::= \"a\" \"b\" \"a\""))
        let kept = state
        #expect(try state.advance(2) && !state.mayEnd)
        #expect(try !state.advance(1))
        #expect(try state.mask().allows(0) && state.mask().count == 1)
        #expect(try state.advance(0) && state.mustEnd && state.mayEnd)
        #expect(
            try state.mask()
                == {
                    var only = TokenMask(size: 4); only.insert(3); return only
                }())
        #expect(try state.advance(3) && state.mustEnd && !state.mayEnd)
        #expect(try kept.mask().count == 2 && kept.mask().first(below: 4) == 0)
        #expect(try !kept.allows(99) && !kept.allows(-1))
    }

    /// A tokenizer that drops the blank before the first word of a text.
    @Test func theFirstTokenHasBytesOfItsOwn() throws {
        let tokens = [" a", " b", "a"].map { Array($0.utf8) }
        let vocabulary = GrammarVocabulary(
            size: 3, bytes: { tokens[Int($0)] }, firstBytes: { Array(tokens[Int($0)].drop { $0 == 0x20 }) })
        let matcher = GrammarMatcher(
            grammar: try Grammar(gbnf: "root ::= [ab] (\" \" [ab])*"), vocabulary: vocabulary, endTokens: [])
        var state = try matcher.start()
        #expect(try state.mask().count == 3)
        #expect(try state.advance(1))
        #expect(try state.mask().count == 2 && !state.allows(2))
    }

    /// Tokens with the same bytes are allowed together.
    @Test func twins() throws {
        let vocabulary = TestVocabulary(["x", "y", "x", "xy", "x"].map { Array($0.utf8) })
        let mask = try vocabulary.start(Grammar(gbnf: "root ::= \"xy\"")).mask()
        #expect(mask.count == 4 && !mask.allows(1) && mask.allows(4))
    }

    /// What a matcher forgets changes nothing.
    @Test func forgetting() throws {
        let grammar = try Grammar(gbnf: "root ::= item*\nitem ::= \"(\" item* \")\" | [a-z]{1,4000} \";\"")
        let matcher = GrammarMatcher(
            grammar: grammar, vocabulary: TestVocabulary.bytes.vocabulary, endTokens: [256])
        var state = try matcher.start()
        var random = TestRandom(3)
        var most = 0
        for _ in 0..<400_000 {
            matcher.trim(keeping: &state)
            let byte = random.chance(2) ? random.pick(Array("(;)".utf8)) : UInt8(0x61 + random.below(26))
            let isAllowed = try state.allows(Int32(byte))
            #expect(try state.mask().allows(Int32(byte)) == isAllowed)
            if isAllowed { _ = try state.advance(Int32(byte)) }
            most = max(most, matcher.byteCount)
        }
        #expect(most < 64 << 20)
    }
}
