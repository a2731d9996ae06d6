// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// Ends of a generation, limits and bad input.
@Suite("Session limits") struct SessionLimitTests {
    static let recipes: [ModelRecipe] = [.tandemNear, .tandemEqual, .pairNear, .pairEqual]

    // MARK: - Context

    @Test("prompt and answer fill the context and no more", arguments: recipes)
    func contextLimit(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        let context = 24
        for mode in model.availableModes {
            let alone = try model.makeSession().generate(
                tokens: fixture.tokens(10),
                parameters: GenerateParameters(maxTokens: 40, mode: mode, draftMax: 1, draftMin: 1))
            for length in [10, 20, context - 2, context - 1] {
                for gamma in [0, 1, 3, 8, 16] {
                    let session = try model.makeSession(options: SessionOptions(contextSize: context))
                    let prompt = fixture.tokens(length)
                    let result = try session.generate(
                        tokens: prompt,
                        parameters: GenerateParameters(mode: mode, draftMax: gamma, draftMin: gamma))
                    #expect(result.finishReason == .length)
                    #expect(result.usage.totalTokens == context, "\(mode), prompt \(length), draft \(gamma)")
                    if length == 10, mode == .speed || mode == .primary {
                        #expect(result.tokens[...] == alone.tokens.prefix(context - length))
                    }
                    // The full session still serves.
                    let again = try session.generate(
                        tokens: prompt,
                        parameters: GenerateParameters(mode: mode, draftMax: gamma, draftMin: gamma))
                    #expect(again.tokens == result.tokens)
                }
            }
            let session = try model.makeSession(options: SessionOptions(contextSize: context))
            for length in [context, context + 1, 100] {
                #expect(throws: TandemError.promptTooLong(tokens: length, contextSize: context)) {
                    try session.generate(
                        tokens: fixture.tokens(length), parameters: GenerateParameters(mode: mode))
                }
            }
        }
    }

    @Test("the context is the smallest maximum of the models, and may not be larger")
    func contextSize() throws {
        var recipe = ModelRecipe.pair
        recipe.primary.positions = 90
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        #expect(try model.makeSession().contextSize == 90)
        #expect(try model.makeSession(options: SessionOptions(contextSize: 50)).contextSize == 50)
        #expect(
            throws: TandemError.invalidParameter(
                name: "ctx-size", value: "91", allowed: "at most 90, the models' own limit")
        ) { try model.makeSession(options: SessionOptions(contextSize: 91)) }
        let session = try model.makeSession(options: SessionOptions(contextSize: 30))
        #expect(throws: TandemError.promptTooLong(tokens: 31, contextSize: 30)) {
            try session.evaluate(tokens: fixture.tokens(31))
        }
        #expect(try session.evaluate(tokens: fixture.tokens(30)).primary.count == 29)
    }

    // MARK: - Token limit

    @Test("maxTokens is exact, whatever the block length", arguments: recipes)
    func maxTokens(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        let prompt = fixture.tokens(6)
        for mode in model.availableModes {
            var longest: [Int32] = []
            for limit in (0...9).reversed() {
                for gamma in [1, 4, 16] where mode != .tandem || gamma == 1 {
                    let result = try model.makeSession().generate(
                        tokens: prompt,
                        parameters: GenerateParameters(
                            maxTokens: limit, mode: mode, draftMax: gamma, draftMin: gamma))
                    #expect(result.tokens.count == limit, "\(mode), draft \(gamma)")
                    #expect(result.finishReason == .length)
                    #expect(result.speculative.primaryPasses <= max(0, limit - 1))
                    if limit <= 1 { #expect(result.speculative.primaryPasses == 0) }
                    if longest.isEmpty { longest = result.tokens }
                    if mode != .tandem { #expect(result.tokens[...] == longest.prefix(limit)) }
                }
            }
        }
    }

    // MARK: - End tokens

    /// End tokens are chosen from what the model says, so that they come up first, in the middle and last in a block.
    @Test("generation ends with the first end token", arguments: recipes)
    func endTokens(_ recipe: ModelRecipe) throws {
        var texted = recipe
        texted.hasTokenizer = true
        texted.primary.vocabulary = 260
        let plain = try EngineFixture(texted)
        let prompt = plain.tokens(11)
        let long = try plain.session().generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 40, mode: .primary)
        ).tokens
        for place in [0, 1, 2, 3, 7, 12] {
            var ending = texted
            ending.endTokens = [Int(long[place])]
            let fixture = try EngineFixture(ending)
            let model = try fixture.load()
            #expect(model.endTokens == [long[place]])
            let expected = long.prefix(try #require(long.firstIndex(of: long[place])) + 1)
            for gamma in [1, 2, 3, 5, 8] {
                let session = try model.makeSession()
                let result = try session.generate(
                    tokens: prompt,
                    parameters: GenerateParameters(mode: .speed, draftMax: gamma, draftMin: gamma))
                #expect(result.tokens[...] == expected, "draft \(gamma)")
                #expect(result.finishReason == .stop)
                #expect(result.text == ByteTokenizer.decode(result.tokens.dropLast()))
                let on = try session.generate(
                    tokens: prompt,
                    parameters: GenerateParameters(
                        maxTokens: 40, mode: .speed, draftMax: gamma, draftMin: gamma, ignoreEndTokens: true))
                #expect(on.tokens == long)
                #expect(on.finishReason == .length)
            }
            // The end token at the limit counts as an end.
            let exact = try model.makeSession().generate(
                tokens: prompt, parameters: GenerateParameters(maxTokens: expected.count, mode: .speed))
            #expect(exact.finishReason == .stop)
        }
    }

    @Test("every mode ends at an end token")
    func endTokensInModes() throws {
        for mode in [DecodingMode.tandem, .secondary, .primary] {
            let plain = try EngineFixture(.tandem)
            let parameters = try GenerateParameters(maxTokens: 30, mode: mode, draftMax: 3, draftMin: 3)
            let long = try plain.session().generate(tokens: [5, 6], parameters: parameters).tokens
            var ending = ModelRecipe.tandem
            ending.hasTokenizer = true
            ending.endTokens = [Int(long[6])]
            let result = try EngineFixture(ending).session().generate(tokens: [5, 6], parameters: parameters)
            #expect(result.tokens[...] == long.prefix(try #require(long.firstIndex(of: long[6])) + 1))
            #expect(result.finishReason == .stop)
        }
    }

    // MARK: - Bad input

    @Test("bad prompts are refused and leave the session usable")
    func badPrompts() throws {
        let fixture = try EngineFixture(.tandem)
        let session = try fixture.session()
        let parameters = try GenerateParameters(maxTokens: 5)
        let before = try session.generate(tokens: [1, 2, 3], parameters: parameters)
        #expect(throws: TandemError.emptyPrompt) { try session.generate(tokens: [], parameters: parameters) }
        for bad: Int32 in [-1, 61, .max, .min] {
            #expect(throws: TandemError.invalidToken(id: Int(bad), vocabularySize: 61)) {
                try session.generate(tokens: [1, bad, 2], parameters: parameters)
            }
            #expect(throws: TandemError.invalidToken(id: Int(bad), vocabularySize: 61)) {
                try session.evaluate(tokens: [bad])
            }
        }
        #expect(throws: TandemError.noTokenizer) { try session.generate("text", parameters: parameters) }
        #expect(throws: TandemError.noTokenizer) { try session.model.detokenize([1]) }
        #expect(try session.generate(tokens: [1, 2, 3], parameters: parameters).tokens == before.tokens)
    }

    @Test("modes that the file does not offer are refused")
    func modes() throws {
        let single = try EngineFixture(.single).session()
        #expect(single.model.availableModes == [.speed, .primary])
        for mode in [DecodingMode.tandem, .secondary] {
            let error = #expect(throws: TandemError.self) {
                try single.generate(tokens: [1], parameters: GenerateParameters(maxTokens: 1, mode: mode))
            }
            guard case .modeUnavailable(mode.rawValue, _) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        let pair = try EngineFixture(.pair).session()
        #expect(pair.model.availableModes == [.speed, .primary, .secondary])
        #expect(throws: TandemError.self) {
            try pair.generate(tokens: [1], parameters: GenerateParameters(maxTokens: 1, mode: .tandem))
        }
        #expect(try EngineFixture(.tandem).load().availableModes == [.speed, .tandem, .primary, .secondary])
    }

    @Test("the draft length is at most the session's; the standalone tandem's is the file's own unless given")
    func draftLength() throws {
        var recipe = ModelRecipe.tandemEqual
        recipe.blockLength = 3
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        let result = try model.makeSession().generate(
            tokens: [1, 2], parameters: GenerateParameters(maxTokens: 1 + 4 * 5, mode: .tandem))
        #expect(result.speculative.primaryPasses == 5)
        #expect(result.speculative.drafted == 15)
        let small = try model.makeSession(options: SessionOptions(maxDraft: 2))
        let limited = try small.generate(
            tokens: [1, 2], parameters: GenerateParameters(maxTokens: 1 + 3 * 5, draftMin: 2))
        #expect(limited.speculative.drafted == 10)
        #expect(throws: TandemError.self) {
            try small.generate(tokens: [1], parameters: GenerateParameters(draftMin: 3))
        }
        #expect(throws: TandemError.self) { try GenerateParameters(draftMax: 2, draftMin: 3) }
        #expect(
            throws: TandemError.invalidParameter(
                name: "draft-max", value: "3", allowed: "at most 2, the session's limit")
        ) { try small.generate(tokens: [1], parameters: GenerateParameters(draftMax: 3, draftMin: 3)) }
        #expect(throws: TandemError.self) { try small.evaluate(tokens: [1, 2], blockLength: 3) }
        #expect(throws: TandemError.self) { try small.evaluate(tokens: [1, 2], blockLength: 0) }
    }

    @Test("invalid parameters are refused by name")
    func invalidParameters() {
        func expectInvalid(_ name: String, _ body: () throws -> Void) {
            let error = #expect(throws: TandemError.self) { try body() }
            guard case .invalidParameter(name, _, _) = error else {
                Issue.record("\(name): \(String(describing: error))")
                return
            }
            #expect(error?.description.contains(name) == true)
        }
        expectInvalid("predict") { _ = try GenerateParameters(maxTokens: -1) }
        expectInvalid("draft-max") { _ = try GenerateParameters(draftMax: 65, draftMin: 65) }
        expectInvalid("draft-max") { _ = try GenerateParameters(draftMax: -1) }
        expectInvalid("stop") { _ = try GenerateParameters(stop: ["a", ""]) }
        for value in [-0.1, 101, .nan, .infinity] as [Float] {
            expectInvalid("temperature") { _ = try SamplingParameters(temperature: value) }
        }
        expectInvalid("top-k") { _ = try SamplingParameters(topK: -1) }
        for value in [0, -1, 1.001, .nan] as [Float] {
            expectInvalid("top-p") { _ = try SamplingParameters(topP: value) }
        }
        for value in [-0.001, 1.001, .nan] as [Float] {
            expectInvalid("min-p") { _ = try SamplingParameters(minP: value) }
        }
        for value in [0, -1, 100.5, .nan] as [Float] {
            expectInvalid("repeat-penalty") { _ = try SamplingParameters(repeatPenalty: value) }
        }
        expectInvalid("repeat-last-n") { _ = try SamplingParameters(repeatLastN: -2) }
        for value in [-101, 101, .nan] as [Float] {
            expectInvalid("presence-penalty") { _ = try SamplingParameters(presencePenalty: value) }
            expectInvalid("frequency-penalty") { _ = try SamplingParameters(frequencyPenalty: value) }
        }
        expectInvalid("ctx-size") { _ = try SessionOptions(contextSize: 1) }
        expectInvalid("batch-size") { _ = try SessionOptions(batchSize: 0) }
        expectInvalid("batch-size") { _ = try SessionOptions(batchSize: 4097) }
        expectInvalid("draft-max") { _ = try SessionOptions(maxDraft: 65) }
        expectInvalid("threads") { _ = try LoadOptions(threadCount: 0) }
        expectInvalid("threads") { _ = try LoadOptions(threadCount: 1025) }
    }
}
