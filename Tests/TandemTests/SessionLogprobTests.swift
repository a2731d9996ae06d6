// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Foundation
import Tandem
import TandemTokenizer
import Testing

/// Log-probabilities against a naive computation, and what they must not depend on.
@Suite("Log-probabilities") struct SessionLogprobTests {
    /// Natural logarithms of a softmax, computed the plain way in double.
    private static func naive(_ logits: [Float]) -> [Double] {
        let greatest = Double(logits.max() ?? 0)
        let sum = logits.reduce(0) { $0 + exp(Double($1) - greatest) }
        return logits.map { Double($0) - greatest - log(sum) }
    }

    /// Checks every token of `result` against the rows of logits that it belongs to.
    private static func check(_ logprobs: [GeneratedToken], _ rows: [[Float]], count: Int) {
        #expect(logprobs.count == rows.count)
        for (token, row) in zip(logprobs, rows) {
            let expected = naive(row)
            let own = token.logprob.map(Double.init) ?? .nan
            #expect(abs(own - expected[Int(token.id)]) < 2e-6)
            let order = expected.indices.sorted {
                row[$0] > row[$1] || (row[$0] == row[$1] && $0 < $1)
            }
            #expect(token.top.map { Int($0.id) } == Array(order.prefix(count)))
            for alternative in token.top {
                #expect(abs(Double(alternative.logprob) - expected[Int(alternative.id)]) < 2e-6)
            }
        }
    }

    @Test("they are those of the primary's rows, with drafts and without, sampled and greedy")
    func parity() throws {
        for recipe in [ModelRecipe.tandemNear, .pairNear, .single, .tandem.stored(as: .int8(group: 32))] {
            let fixture = try EngineFixture(recipe)
            let prompt = fixture.tokens(9)
            for (length, temperature) in [(0, Float(0)), (3, 0), (0, 1.3), (5, 1.3)] {
                let session = try fixture.session()
                let parameters = try GenerateParameters(
                    maxTokens: 24, mode: .speed, draftMax: length, draftMin: length,
                    sampling: SamplingParameters(
                        temperature: temperature, topK: 12, repeatPenalty: 1.2, seed: 5),
                    logprobs: 4)
                let result = try session.generate(tokens: prompt, parameters: parameters)
                #expect(result.logprobs.map(\.id) == result.tokens)
                let all = try session.allLogits(prompt + result.tokens).primary
                Self.check(result.logprobs, Array(all[(prompt.count - 1)...].dropLast()), count: 4)
                // The penalty, or chance, chose what is not the most probable.
                #expect(result.logprobs.contains { $0.id != $0.top[0].id })
            }
        }
    }

    @Test("speed and primary give the same bits, on every instruction set")
    func sameBits() throws {
        let fixture = try EngineFixture(.tandemNear)
        let prompt = fixture.tokens(7)
        let alone = try fixture.session(instructionSet: "scalar").generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 30, mode: .primary, logprobs: 20))
        #expect(alone.logprobs.count == 30 && alone.logprobs.allSatisfy { $0.top.count == 20 })
        for length in [1, 4, 7] {
            let speed = try fixture.session().generate(
                tokens: prompt,
                parameters: GenerateParameters(
                    maxTokens: 30, mode: .speed, draftMax: length, draftMin: length, logprobs: 20))
            #expect(speed.speculative.drafted > 0)
            #expect(speed.logprobs == alone.logprobs)
        }
    }

    @Test("what the secondary chooses has the secondary's own probabilities")
    func secondary() throws {
        let fixture = try EngineFixture(.tandemNear)
        // Blocks that begin where those of an evaluation do.
        let (prompt, drafts) = (fixture.tokens(12), 3)
        let session = try fixture.session()
        let result = try session.generate(
            tokens: prompt,
            parameters: GenerateParameters(
                maxTokens: 25, mode: .tandem, draftMax: drafts, draftMin: drafts, logprobs: 3))
        let all = try session.allLogits(prompt + result.tokens, blockLength: drafts + 1)
        var rows: [[Float]] = []
        for index in result.tokens.indices {
            // Rows of a block give the drafts, its last the primary's own token.
            let isPrimary = index % (drafts + 1) == 0
            let position = prompt.count - 1 + index
            rows.append(isPrimary ? all.primary[position] : all.secondary[position])
        }
        Self.check(result.logprobs, rows, count: 3)

        // Alone, it does as a file that holds nothing else.
        let alone = try session.generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 10, mode: .secondary, logprobs: 2))
        #expect(alone.logprobs.map(\.id) == alone.tokens)
        for token in alone.logprobs {
            #expect(token.id == token.top[0].id && token.logprob == token.top[0].logprob)
            #expect((token.logprob ?? 1) <= 0 && token.top[1].logprob <= token.top[0].logprob)
        }
    }

    @Test("deltas carry every token once, with its bytes, also where its text is held back")
    func deltas() throws {
        let fixture = try EngineFixture(SessionTextTests.recipe)
        for logprobs in [nil, 0, 2] as [Int?] {
            for stop in [[], ["\u{1}never"]] {
                var text = ""
                var tokens: [GeneratedToken] = []
                let result = try fixture.session().generate(
                    "Once ",
                    parameters: GenerateParameters(
                        maxTokens: 70, draftMax: 3, draftMin: 3,
                        sampling: SamplingParameters(temperature: 1.4, topK: 0, topP: 1, minP: 0, seed: 3),
                        stop: stop, logprobs: logprobs)
                ) { delta in
                    #expect(!delta.text.isEmpty || (logprobs != nil && !delta.tokens.isEmpty))
                    text += delta.text
                    tokens += delta.tokens
                }
                #expect(text == result.text)
                #expect(tokens.allSatisfy { ($0.logprob != nil) == (logprobs != nil) })
                #expect(tokens.allSatisfy { $0.top.count == logprobs ?? 0 })
                if logprobs == nil {
                    #expect(result.logprobs.isEmpty)
                    #expect(result.tokens.starts(with: tokens.map(\.id)))
                    #expect(tokens.count > 60)
                } else {
                    #expect(tokens == result.logprobs)
                    #expect(tokens.map(\.id) == result.tokens)
                }
                for token in tokens {
                    #expect(String(decoding: token.bytes, as: UTF8.self) == ByteTokenizer.decode([token.id]))
                }
            }
        }
    }

    @Test("an end token has a probability too, and a model without a tokenizer tells of its tokens")
    func endTokens() throws {
        let fixture = try EngineFixture(.single)
        var seen: [TokenID] = []
        let result = try fixture.session().generate(
            tokens: fixture.tokens(4), parameters: GenerateParameters(maxTokens: 5, logprobs: 0)
        ) { delta in
            #expect(delta.text.isEmpty && delta.tokens.count == 1)
            seen += delta.tokens.map(\.id)
        }
        #expect(seen == result.tokens && seen.count == 5)
        #expect(result.logprobs.allSatisfy { $0.bytes.isEmpty && $0.top.isEmpty && $0.logprob != nil })

        let long = try EngineFixture(SessionTextTests.recipe).session().generate(
            tokens: [5, 6], parameters: GenerateParameters(maxTokens: 40))
        let index = try #require((3..<40).first { !long.tokens.prefix($0).contains(long.tokens[$0]) })
        var recipe = SessionTextTests.recipe
        recipe.endTokens = [Int(long.tokens[index])]
        var told: [TokenID] = []
        let ended = try EngineFixture(recipe).session().generate(
            tokens: [5, 6], parameters: GenerateParameters(maxTokens: 40, logprobs: 1)
        ) { told += $0.tokens.map(\.id) }
        #expect(ended.finishReason == .stop && ended.tokens[...] == long.tokens[...index])
        #expect(ended.logprobs.map(\.id) == ended.tokens && told == ended.tokens)
    }

    @Test("logits that are no numbers, or infinite")
    func extremes() throws {
        let kernels = unsafe try #require(tk_isa_at(0)).pointee
        func score(_ token: TokenID, _ logits: [Float]) throws -> TokenScore {
            var scorer = unsafe TokenScorer(alternatives: 2, kernels: kernels)
            return unsafe try logits.withUnsafeBufferPointer { buffer in
                let base = unsafe try #require(buffer.baseAddress)
                return unsafe scorer.score(token, logits: base, vocabularySize: buffer.count)
            }
        }
        let broken = try score(1, [.nan, 2, 2, -.infinity])
        #expect(abs(Double(broken.logprob) - log(0.5)) < 1e-6 && broken.top.map(\.id) == [1, 2])
        #expect(try score(0, [.nan, 2]).logprob == -.infinity)
        #expect(try score(1, [0, .infinity, 3]).logprob == 0)
        #expect(try score(2, [0, .infinity, 3]).logprob == -.infinity)
        #expect(try score(0, [-.infinity, -.infinity]).logprob == -.infinity)
        // exp would overflow or vanish.
        #expect(try score(0, [3e38, -3e38]).logprob == 0)
        #expect(try score(1, [500, 0]).logprob == -500)
        #expect(try score(0, [7]).top.map(\.logprob) == [0])
    }

    @Test("how many alternatives may be asked for")
    func limits() {
        for bad in [-1, 21] {
            #expect(
                throws: TandemError.invalidParameter(
                    name: "logprobs", value: "\(bad)", allowed: "in 0 ... 20")
            ) { try GenerateParameters(logprobs: bad) }
        }
    }
}
