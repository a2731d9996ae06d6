// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemFormat
import TandemTokenizer
import Testing

/// Sessions that begin as copies of others.
@Suite("Forked sessions") struct SessionForkTests {
    @Test(
        "a copy goes on as the session itself, and neither knows of the other",
        arguments: [ModelRecipe.tandemNear, .pairNear, .single, .everythingTandem])
    func independence(_ recipe: ModelRecipe) throws {
        let fixture = try EngineFixture(recipe)
        let model = try fixture.load()
        for mode in model.availableModes {
            let session = try model.makeSession(options: SessionOptions(batchSize: 9, maxDraft: 5))
            let parameters = try GenerateParameters(maxTokens: 12, mode: mode, draftMax: 3, draftMin: 3)
            let prompt = fixture.tokens(20)
            let start = prompt + (try session.generate(tokens: prompt, parameters: parameters).tokens)
            let copy = try session.fork()
            #expect(copy.tokens == session.tokens && copy.contextSize == session.contextSize)
            let ways = (1...3).map { start + fixture.tokens(4, seed: UInt64($0)) }
            for (index, way) in ways.enumerated() {
                let target = index % 2 == 0 ? copy : session
                let result = try target.generate(tokens: way, parameters: parameters)
                let fresh = try model.makeSession(options: SessionOptions(maxDraft: 5))
                    .generate(tokens: way, parameters: parameters)
                #expect(result.tokens == fresh.tokens, "\(mode), way \(index)")
                if index < 2 { #expect(result.usage.cachedPromptTokens >= start.count - 1, "\(mode)") }
            }
            let held = session.tokens
            try copy.reset()
            #expect(copy.tokens.isEmpty && session.tokens == held)
        }
    }

    @Test("tokens are what the caches hold")
    func tokens() throws {
        let fixture = try EngineFixture(.pairNear)
        let session = try fixture.session()
        #expect(session.tokens.isEmpty)
        let prompt = fixture.tokens(10)
        var during: [[TokenID]] = []
        let result = try session.generate(
            tokens: prompt, parameters: GenerateParameters(maxTokens: 6, logprobs: 0)
        ) { _ in during.append(session.tokens) }
        #expect(session.tokens == prompt + result.tokens.dropLast())
        #expect(during.count == 6 && during.allSatisfy(\.isEmpty))
        let cancelled = CancellationToken()
        cancelled.cancel()
        _ = try session.generate(
            tokens: prompt.reversed(), parameters: GenerateParameters(), cancellation: cancelled)
        #expect(prompt.reversed().starts(with: session.tokens))
    }

    @Test("a copy counts against the memory plan, and gives its share back")
    func ledger() throws {
        let fixture = try ResidencyFixture(
            ModelRecipe(
                name: "fork", primary: ModelShape(layers: 3), secondary: .tandemCopy(noise: 0.05), seed: 5))
        let small = try SessionOptions(contextSize: 40)
        let model = try fixture.load(session: small, sessions: 2)
        let session = try model.makeSession(options: small)
        let parameters = try GenerateParameters(maxTokens: 5, draftMax: 2, draftMin: 2)
        let first = try session.generate(tokens: fixture.tokens(8), parameters: parameters)
        for _ in 0..<3 {
            let copy = try session.fork()
            let again = try copy.generate(tokens: fixture.tokens(8), parameters: parameters)
            #expect(again.tokens == first.tokens && again.usage.cachedPromptTokens == 7)
            guard case .sessionExceedsBudget = refusal({ _ = try session.fork() }) else {
                Issue.record("a third session was made")
                return
            }
        }
    }

    @Test("saved, restored and copied while other sessions of the model generate")
    func amongOthers() throws {
        let fixture = try EngineFixture(.tandemNear)
        let model = try fixture.load(threads: 2)
        let folder = try TemporaryFolder()
        let parameters = try GenerateParameters(maxTokens: 8, draftMax: 3, draftMin: 3, logprobs: 2)
        let prompts = (0..<4).map { fixture.tokens(12 + $0, seed: UInt64($0)) }
        let expected = try prompts.map {
            try fixture.session().generate(tokens: $0, parameters: parameters).logprobs
        }
        let wrong = Guarded<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { index in
            do {
                for round in 0..<6 {
                    let session = try model.makeSession(options: SessionOptions(maxDraft: 4))
                    // All but the end of the prompt, so that what is saved or copied has taps that are due.
                    _ = try session.generate(
                        tokens: Array(prompts[index].dropLast(3)),
                        parameters: GenerateParameters(maxTokens: 0, mode: .speed))
                    let path = folder.path("\(index)-\(round)")
                    try session.save(to: path)
                    let other = round % 2 == 0 ? try session.fork() : try model.makeSession()
                    if round % 2 == 1 { try other.restore(from: path) }
                    let result = try other.generate(tokens: prompts[index], parameters: parameters)
                    if result.logprobs != expected[index] || result.usage.cachedPromptTokens < 8 {
                        wrong.withLock { $0.append("\(index), \(round): \(result.tokens)") }
                    }
                }
            } catch {
                wrong.withLock { $0.append("\(index): \(error)") }
            }
        }
        wrong.withLock { #expect($0.isEmpty) }
    }

    @Test("not while the session works")
    func busy() throws {
        let fixture = try EngineFixture(SessionTextTests.recipe)
        let session = try fixture.session()
        let folder = try TemporaryFolder()
        var refusals: [TandemError?] = []
        _ = try session.generate("abc", parameters: GenerateParameters(maxTokens: 3)) { _ in
            refusals.append(refusal { _ = try session.fork() })
            refusals.append(refusal { try session.save(to: folder.path("s")) })
            refusals.append(refusal { try session.restore(from: folder.path("s")) })
        }
        #expect(refusals.count >= 3 && refusals.allSatisfy { $0 == .sessionBusy })
    }
}
