// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemTokenizer
import Testing

/// What happens when the context is full.
@Suite("Context shift") struct SessionShiftTests {
    static let context = 40

    /// The text that a session makes which is given the shortened text anew, each time its context is full.
    private func expected(
        _ fixture: EngineFixture, _ prompt: [TokenID], mode: DecodingMode, drafts: Int, keep: Int, count: Int
    ) throws -> (tokens: [TokenID], shifts: Int) {
        var text = prompt
        var answer: [TokenID] = []
        var shifts = 0
        while answer.count < count {
            let session = try fixture.session(context: Self.context, maxDraft: 4)
            let result = try session.generate(
                tokens: text,
                parameters: GenerateParameters(
                    maxTokens: count - answer.count, mode: mode, draftMax: drafts, draftMin: drafts,
                    ignoreEndTokens: true))
            #expect(result.usage.contextShifts == 0)
            answer += result.tokens
            text += result.tokens
            guard answer.count < count else { break }
            #expect(text.count == Self.context)
            // All but the newest token have been run: of these the older half goes.
            let run = text.count - 1
            let dropped = (run - keep) / 2
            text.removeSubrange(keep..<keep + dropped)
            shifts += 1
        }
        return (answer, shifts)
    }

    @Test(
        "it goes on as one that is given the shortened text",
        arguments: [ModelRecipe.tandemNear, .pairNear, .single, .everythingTandem], [0, 1, 7, 37])
    func shifts(_ recipe: ModelRecipe, keep: Int) throws {
        let fixture = try EngineFixture(recipe)
        let prompt = fixture.tokens(20)
        for mode in try fixture.load().availableModes where mode != .tandem {
            for drafts in mode == .speed ? [0, 3] : [0] {
                let count = keep == 37 ? 25 : 90
                let expected = try expected(
                    fixture, prompt, mode: mode, drafts: drafts, keep: keep, count: count)
                let session = try fixture.session(context: Self.context, batch: 7, maxDraft: 4)
                let result = try session.generate(
                    tokens: prompt,
                    parameters: GenerateParameters(
                        maxTokens: count, mode: mode, draftMax: drafts, draftMin: drafts,
                        ignoreEndTokens: true, contextOverflow: .shift(keep: keep)))
                #expect(result.tokens == expected.tokens, "\(mode), \(drafts) drafts")
                #expect(result.finishReason == .length && result.tokens.count == count)
                #expect(result.usage.contextShifts == expected.shifts && expected.shifts > 0)
                #expect(session.tokens.count < Self.context)
                #expect(session.tokens.starts(with: prompt.prefix(keep)))
            }
        }
    }

    @Test("sampled, drafting freely, and in standalone tandem decoding: exactly as many tokens as asked for")
    func counts() throws {
        let fixture = try EngineFixture(.tandemNear)
        for mode in try fixture.load().availableModes {
            let result = try fixture.session(context: 30).generate(
                tokens: fixture.tokens(25),
                parameters: GenerateParameters(
                    maxTokens: 200, mode: mode, sampling: SamplingParameters(repeatPenalty: 1.3, seed: 4),
                    ignoreEndTokens: true, logprobs: 1, contextOverflow: .shift(keep: 2)))
            #expect(result.tokens.count == 200 && result.logprobs.map(\.id) == result.tokens)
            #expect(result.usage.contextShifts >= 9)
            #expect(result.finishReason == .length)
        }
    }

    @Test("without a limit it goes on until it is cancelled")
    func endless() throws {
        let fixture = try EngineFixture(SessionTextTests.recipe)
        let token = CancellationToken()
        var seen = 0
        let result = try fixture.session(context: 30).generate(
            "abc",
            parameters: GenerateParameters(ignoreEndTokens: true, contextOverflow: .shift(keep: 1)),
            cancellation: token
        ) { delta in
            seen += delta.tokens.count
            if seen > 300 { token.cancel() }
        }
        #expect(result.finishReason == .cancelled && result.tokens.count > 300)
        #expect(result.usage.contextShifts > 10)
    }

    @Test("where it may stop it stops, and a prompt that does not fit is an error")
    func limits() throws {
        let fixture = try EngineFixture(.single)
        let session = try fixture.session(context: 20)
        let stopped = try session.generate(
            tokens: fixture.tokens(10), parameters: GenerateParameters(ignoreEndTokens: true))
        #expect(stopped.finishReason == .length && stopped.tokens.count == 10)
        #expect(stopped.usage.contextShifts == 0)
        let shifting = try GenerateParameters(contextOverflow: .shift(keep: 17))
        #expect(throws: TandemError.promptTooLong(tokens: 20, contextSize: 20)) {
            try session.generate(tokens: fixture.tokens(20), parameters: shifting)
        }
        #expect(
            throws: TandemError.invalidParameter(
                name: "keep", value: "18", allowed: "at most 17, the context size - 3")
        ) {
            try session.generate(
                tokens: [1], parameters: GenerateParameters(contextOverflow: .shift(keep: 18)))
        }
        #expect(throws: TandemError.invalidParameter(name: "keep", value: "-1", allowed: "0 or greater")) {
            try GenerateParameters(contextOverflow: .shift(keep: -1))
        }
    }
}
