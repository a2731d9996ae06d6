// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemGrammar
import TandemJSON
import Testing

/// Generation under grammars: the text obeys in every mode, and drafts change nothing.
@Suite("Grammars") struct GrammarTests {
    static func recipe(_ recipe: ModelRecipe) -> ModelRecipe {
        var recipe = recipe
        recipe.hasTokenizer = true
        recipe.primary.vocabulary = 260
        recipe.primary.positions = 400
        recipe.endTokens = [0]
        if case .draft(var shape) = recipe.secondary {
            (shape.vocabulary, shape.positions) = (260, 400)
            recipe.secondary = .draft(shape)
        }
        if case .tandem(var shape, let map) = recipe.secondary {
            (shape.vocabulary, shape.positions) = (260, 400)
            recipe.secondary = .tandem(shape, layerMap: map)
        }
        return recipe
    }

    static let recipes = [
        recipe(.tandemNear), recipe(.tandemEqual.stored(as: .int8(group: 32))), recipe(.tandem),
        recipe(.pairNear),
        recipe(.pair.stored(as: .int4(group: 32))),
    ]

    /// Texts that end, texts that may go on, texts with characters of several bytes, and texts that only end by an end token.
    static let grammars: [String] = [
        #"root ::= ([a-f]{1,4} ","){2,5} "end""#,
        #"root ::= "é" [äöü中丁😀]{3,9} ("x" | [^\x00-\x7f])*"#,
        #"root ::= item+ "." ; item ::= "(" item* ")" | [0-9]{2}"#.replacing("; ", with: "\n"),
        "root ::= [a-z]*",
        "root ::= \"fixed text\"",
    ]

    static func all() throws -> [Grammar] {
        let schemas: [JSONValue] = [
            [
                "properties": [
                    "name": ["type": "string", "maxLength": 5],
                    "age": ["type": "integer", "minimum": 7, "maximum": 130],
                    "tags": ["type": "array", "items": ["enum": ["a", "ab", "b"]], "maxItems": 3],
                ], "required": ["name", "age", "tags"],
            ],
            ["type": "number", "minimum": -2.5, "exclusiveMaximum": 3],
        ]
        return try grammars.map { try Grammar(gbnf: $0) } + schemas.map { try Grammar(jsonSchema: $0) }
    }

    /// Whether a text begins one that matches, and whether it matches.
    static func match(_ text: String, _ grammar: Grammar) throws -> (isPrefix: Bool, isWhole: Bool) {
        let vocabulary = GrammarVocabulary(size: 256) { [UInt8($0)] }
        var state = try GrammarMatcher(grammar: grammar, vocabulary: vocabulary, endTokens: []).start()
        for byte in text.utf8 where try !state.advance(Int32(byte)) { return (false, false) }
        return (true, state.mayEnd)
    }

    static func check(_ result: GenerationResult, _ grammar: Grammar) throws {
        // A text that was cut off may end within a character.
        let whole =
            result.finishReason == .length ? String(result.text.prefix { $0 != "\u{FFFD}" }) : result.text
        let match = try match(whole, grammar)
        #expect(match.isPrefix && (result.finishReason == .length || match.isWhole), "\(result.text)")
        #expect(!result.tokens.dropLast().contains(0))
        #expect(result.finishReason != .length || result.tokens.last != 0)
    }

    @Test("SPEED and the primary alone agree", arguments: recipes)
    func identity(_ recipe: ModelRecipe) throws {
        let model = try EngineFixture(recipe).load()
        var (drafted, accepted, ends) = (0, 0, 0)
        for (index, grammar) in try Self.all().enumerated() {
            for (repeatPenalty, presence) in [(Float(1), Float(0)), (1.3, 0.6)] {
                let sampling = try SamplingParameters(
                    temperature: 0, repeatPenalty: repeatPenalty, presencePenalty: presence)
                let prompt = ByteTokenizer.encode("aabcab(é) fixed text {\"name\": 12 \(index)")
                let alone = try model.makeSession().generate(
                    tokens: prompt,
                    parameters: GenerateParameters(
                        maxTokens: 60, mode: .primary, sampling: sampling, grammar: grammar))
                try Self.check(alone, grammar)
                ends += alone.finishReason == .stop ? 1 : 0
                for gamma in [1, 2, 3, 5, 8] {
                    let fixed = try GenerateParameters(
                        maxTokens: 60, mode: .speed, draftMax: gamma, draftMin: gamma,
                        promptLookup: gamma == 3,
                        sampling: sampling, grammar: grammar)
                    let speed = try model.makeSession().generate(tokens: prompt, parameters: fixed)
                    #expect(speed.tokens == alone.tokens, "\(index), block length \(gamma)")
                    #expect(speed.text == alone.text && speed.finishReason == alone.finishReason)
                    // What is looked up in the text is rejected now and then, whatever the secondary.
                    if speed.speculative.lookedUp > 0 { continue }
                    drafted += speed.speculative.drafted
                    accepted += speed.speculative.accepted
                }
                let adaptive = try model.makeSession().generate(
                    tokens: prompt,
                    parameters: GenerateParameters(
                        maxTokens: 60, mode: .speed, sampling: sampling, grammar: grammar))
                #expect(adaptive.tokens == alone.tokens && adaptive.finishReason == alone.finishReason)
            }
        }
        #expect(
            accepted > 50 && drafted > 200 && ends > 3, "\(accepted) of \(drafted) accepted, \(ends) ended")
        if recipe.copyNoise == 0 { #expect(accepted == drafted) }
    }

    @Test("all modes obey, greedy and sampled", arguments: [recipes[0], recipes[3]])
    func modes(_ recipe: ModelRecipe) throws {
        let model = try EngineFixture(recipe).load()
        let session = try model.makeSession()
        for grammar in try Self.all() {
            for mode in model.availableModes {
                for seed in 0..<6 {
                    let sampling = try SamplingParameters(
                        temperature: seed == 0 ? 0 : 2, topK: seed % 2 * 40, topP: seed < 3 ? 0.9 : 1,
                        minP: 0,
                        repeatPenalty: seed == 4 ? 1.5 : 1, seed: UInt64(seed))
                    let result = try session.generate(
                        tokens: ByteTokenizer.encode("a{\"fixed"),
                        parameters: GenerateParameters(
                            maxTokens: seed * 12 + 1, mode: mode, sampling: sampling, grammar: grammar))
                    try Self.check(result, grammar)
                }
            }
        }
    }

    @Test("generation ends when nothing may follow, and only then or by an end token")
    func ends() throws {
        let model = try EngineFixture(Self.recipes[0]).load()
        let session = try model.makeSession()
        let prompt = ByteTokenizer.encode("x")
        for mode in model.availableModes {
            let fixed = try session.generate(
                tokens: prompt,
                parameters: GenerateParameters(mode: mode, grammar: Grammar(gbnf: Self.grammars[4])))
            #expect(fixed.text == "fixed text" && fixed.finishReason == .stop && fixed.tokens.count == 10)
            let empty = try session.generate(
                tokens: prompt,
                parameters: GenerateParameters(mode: mode, grammar: Grammar(gbnf: "root ::= \"\"")))
            #expect(empty.text == "" && empty.finishReason == .stop && empty.tokens.isEmpty)
            // Without end tokens, a text that may go on goes on.
            let open = try session.generate(
                tokens: prompt,
                parameters: GenerateParameters(
                    maxTokens: 40, mode: mode, ignoreEndTokens: true, grammar: Grammar(gbnf: Self.grammars[3])
                ))
            #expect(open.tokens.count == 40 && open.finishReason == .length && !open.tokens.contains(0))
        }
        // Hot sampling meets the end token sooner or later, but never before the third letter.
        let grammar = try Grammar(gbnf: "root ::= [ab]{3,}")
        for seed in 0..<20 {
            let result = try session.generate(
                tokens: prompt,
                parameters: GenerateParameters(
                    sampling: SamplingParameters(
                        temperature: 50, topK: 0, topP: 1, minP: 0, seed: UInt64(seed)),
                    grammar: grammar))
            #expect(result.finishReason == .stop && result.tokens.last == 0 && result.tokens.count >= 4)
        }
        let stopped = try session.generate(
            tokens: prompt,
            parameters: GenerateParameters(stop: ["ed t"], grammar: Grammar(gbnf: Self.grammars[4])))
        #expect(stopped.text == "fix" && stopped.finishReason == .stop)
    }

    @Test("repetitions are drafted from the text, as far as the grammar allows")
    func lookup() throws {
        let model = try EngineFixture(Self.recipes[2]).load()
        let grammar = try Grammar(gbnf: #"root ::= ("ab-cd-ef-" | "ab-cd-xy-"){12}"#)
        let prompt = ByteTokenizer.encode("ab-cd-ef-ab-cd-ZZ-ab-cd-ef-ab-cd-ZZ-")
        let alone = try model.makeSession().generate(
            tokens: prompt, parameters: GenerateParameters(mode: .primary, grammar: grammar))
        let speed = try model.makeSession().generate(
            tokens: prompt, parameters: GenerateParameters(mode: .speed, promptLookup: true, grammar: grammar)
        )
        #expect(speed.tokens == alone.tokens && speed.text.utf8.count == 108)
        #expect(speed.speculative.lookedUp > 0)
    }

    @Test("what cannot be done is refused")
    func refusals() throws {
        let grammar = try Grammar(gbnf: "root ::= \"é\"")
        var recipe = ModelRecipe.tandemNear
        let prompt: [Int32] = [5, 6]
        #expect(throws: TandemError.noTokenizer) {
            try EngineFixture(recipe).session().generate(
                tokens: prompt, parameters: GenerateParameters(grammar: grammar))
        }
        // Bytes of ASCII only.
        recipe.primary.vocabulary = 120
        recipe.hasTokenizer = true
        let session = try EngineFixture(recipe).session()
        for mode in session.model.availableModes {
            #expect(throws: TandemError.grammarDeadEnd) {
                try session.generate(
                    tokens: prompt, parameters: GenerateParameters(mode: mode, grammar: grammar))
            }
            #expect(throws: TandemError.grammarDeadEnd) {
                try session.generate(
                    tokens: prompt,
                    parameters: GenerateParameters(mode: mode, grammar: Grammar(gbnf: "root ::= \"aé\"")))
            }
            let after = try session.generate(
                tokens: prompt,
                parameters: GenerateParameters(mode: mode, grammar: Grammar(gbnf: "root ::= \"aé\" | \"ab\""))
            )
            #expect(after.text == "ab" || after.text == "a")
        }
    }

    @Test("a primary with more tokens than its secondary")
    func unlikeVocabularies() throws {
        var recipe = Self.recipes[0]
        recipe.secondaryVocabulary = 124
        let model = try EngineFixture(recipe).load()
        let grammar = try Grammar(gbnf: "root ::= ([a-z]{2} \"é\"){8}")
        let alone = try model.makeSession().generate(
            tokens: [98, 99], parameters: GenerateParameters(mode: .primary, grammar: grammar))
        let speed = try model.makeSession().generate(
            tokens: [98, 99],
            parameters: GenerateParameters(mode: .speed, draftMax: 4, draftMin: 4, grammar: grammar))
        #expect(speed.tokens == alone.tokens && speed.speculative.drafted > 0)
        try Self.check(speed, grammar)
    }

    @Test("sessions of one model share what it keeps for grammars")
    func threads() async throws {
        let model = try EngineFixture(Self.recipes[0]).load(threads: 2)
        let grammars = try Self.all()
        let prompt = ByteTokenizer.encode("ab")
        let alone = try grammars.map {
            try model.makeSession().generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: 40, grammar: $0))
        }
        try await withThrowingTaskGroup(of: (Int, GenerationResult).self) { group in
            for turn in 0..<3 * grammars.count {
                group.addTask {
                    let index = (turn * 5) % grammars.count
                    let stream = try model.makeSession().generate(
                        tokens: prompt,
                        parameters: GenerateParameters(maxTokens: 40, grammar: grammars[index]))
                    return (index, stream)
                }
            }
            for try await (index, result) in group { #expect(result.tokens == alone[index].tokens) }
        }
    }
}
