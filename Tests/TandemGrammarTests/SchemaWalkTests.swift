// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import TandemJSON
import Testing

@Suite struct SchemaWalkTests {
    /// Random tokens that the masks allow, until the end: the document is valid under the random schema.
    @Test(arguments: 0..<300)
    func walksEndInValidDocuments(_ seed: Int) throws {
        var maker = RandomSchema(seed)
        let schema = maker.schema()
        var random = maker.random
        let grammar = try Grammar(jsonSchema: schema)
        let validator = SchemaValidator(root: schema)
        let pieces = [
            "{\"", "\":", "\", \"", "null", "[", "]", "}", "1", "-2", ".5", "a", "é", "😀", "\\n", "\": ",
            "\n  ", "foo",
        ]
        let vocabulary = TestVocabulary.random(&random, pieces: pieces)
        let matcher = GrammarMatcher(
            grammar: grammar, vocabulary: vocabulary.vocabulary, endTokens: [vocabulary.end])
        for _ in 0..<8 {
            let text = try walk(matcher, vocabulary, &random)
            let value = try JSONValue(
                parsing: text, limits: JSONLimits(maxDepth: 1024, rejectDuplicateKeys: false))
            #expect(
                try validator.isValid(value),
                "\(schema.serialized()) \(String(decoding: text, as: UTF8.self))")
        }
    }

    /// After a while, tokens that close are taken where they are allowed.
    private func walk(_ matcher: GrammarMatcher, _ vocabulary: TestVocabulary, _ random: inout TestRandom)
        throws
        -> [UInt8]
    {
        var state = try matcher.start()
        var text: [UInt8] = []
        let closing = Array("\"}]:,nulbcaxfo0123456789\\".utf8).map { Int32($0) }
        for step in 0..<20_000 {
            let mask = try state.mask()
            #expect(mask.count > 0)
            if step % 16 == 3 {
                for id in 0..<vocabulary.end { #expect(try mask.allows(id) == state.allows(id)) }
            }
            if mask.allows(vocabulary.end) && (state.mustEnd || random.chance(step < 200 ? 20 : 100)) {
                return text
            }
            let allowed = (0..<vocabulary.end).filter { mask.allows($0) }
            let ends = step < 200 && random.chance(70) ? [] : closing.filter { mask.allows($0) }
            let token = ends.isEmpty ? random.pick(allowed) : ends[step > 2000 ? random.below(ends.count) : 0]
            #expect(try state.advance(token))
            text += vocabulary.tokens[Int(token)]
        }
        Issue.record("the walk does not end")
        return text
    }
}
