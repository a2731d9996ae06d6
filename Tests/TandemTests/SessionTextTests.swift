// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemFormat
import Testing

/// Text, deltas, stop texts, cancellation and threads.
@Suite("Session text") struct SessionTextTests {
    static let recipe: ModelRecipe = {
        var recipe = ModelRecipe.tandemNear
        recipe.hasTokenizer = true
        recipe.primary.vocabulary = 260
        recipe.primary.positions = 400
        return recipe
    }()

    @Test("deltas joined are the text, and the text is the tokens'", arguments: DecodingMode.allCases)
    func deltas(_ mode: DecodingMode) throws {
        let session = try EngineFixture(Self.recipe).session()
        for seed in 0..<10 {
            var joined = ""
            let result = try session.generate(
                "Once ",
                parameters: GenerateParameters(
                    maxTokens: 60, mode: mode, draftMax: 4, draftMin: 4,
                    sampling: SamplingParameters(
                        temperature: 1.5, topK: 0, topP: 1, minP: 0, seed: UInt64(seed)))
            ) { joined += $0.text }
            #expect(result.tokens.count == 60)
            #expect(result.text == joined)
            #expect(
                result.text.unicodeScalars.elementsEqual(ByteTokenizer.decode(result.tokens).unicodeScalars))
            #expect(result.usage.promptTokens == 5)
        }
    }

    @Test("the same seed gives the same text, others give others")
    func seeds() throws {
        let fixture = try EngineFixture(Self.recipe)
        func text(_ seed: UInt64, threads: Int = 1) throws -> [Int32] {
            try fixture.session(threads: threads).generate(
                "x",
                parameters: GenerateParameters(
                    maxTokens: 30, draftMax: 3, draftMin: 3,
                    sampling: SamplingParameters(temperature: 1.2, topK: 0, topP: 1, minP: 0, seed: seed))
            ).tokens
        }
        #expect(try text(7) == text(7, threads: 2))
        #expect(Set(try (0..<20).map { try text(UInt64($0)) }).count == 20)
    }

    /// Stop texts cut out of what the model says without them.
    @Test("a stop text ends the text before it", arguments: [1, 3, 8])
    func stopTexts(gamma: Int) throws {
        let session = try EngineFixture(Self.recipe).session()
        let long = try session.generate(
            "abc", parameters: GenerateParameters(maxTokens: 80, draftMax: gamma, draftMin: gamma))
        let scalars = Array(long.text.unicodeScalars)
        for (start, length) in [(0, 1), (3, 2), (10, 5), (20, 1), (25, 9)] {
            var stop = ""
            stop.unicodeScalars.append(contentsOf: scalars[start..<start + length])
            var joined = ""
            let result = try session.generate(
                "abc",
                parameters: GenerateParameters(
                    maxTokens: 80, draftMax: gamma, draftMin: gamma, stop: ["\u{1}never\u{2}", stop])
            ) { joined += $0.text }
            let found = try #require(Array(long.text.utf8).firstRange(of: Array(stop.utf8)))
            #expect(result.finishReason == .stop)
            #expect(Array(result.text.utf8)[...] == Array(long.text.utf8)[..<found.lowerBound])
            #expect(joined == result.text)
            #expect(result.tokens[...] == long.tokens.prefix(result.tokens.count))
            #expect(ByteTokenizer.decode(result.tokens).utf8.count >= found.upperBound)
        }
        let unmet = try session.generate(
            "abc",
            parameters: GenerateParameters(
                maxTokens: 80, draftMax: gamma, draftMin: gamma, stop: [long.text + "!"]))
        #expect(unmet.text == long.text, "what was held back comes at the end")
        #expect(unmet.finishReason == .length)
    }

    @Test("special tokens and ids without a token add no text")
    func silentTokens() throws {
        let model = try EngineFixture(Self.recipe).load()
        #expect(try model.detokenize([0, 66, 0, 259, 67]) == "AB")
        #expect(try model.tokenize("Aé") == ByteTokenizer.encode("Aé"))
    }

    // MARK: - Cancellation

    @Test("cancelled before the start", arguments: DecodingMode.allCases)
    func cancelledBefore(_ mode: DecodingMode) throws {
        let fixture = try EngineFixture(Self.recipe)
        let session = try fixture.session()
        let token = CancellationToken()
        token.cancel()
        #expect(token.isCancelled)
        let parameters = try GenerateParameters(maxTokens: 20, mode: mode)
        let result = try session.generate("abc", parameters: parameters, cancellation: token)
        #expect(result.finishReason == .cancelled)
        #expect(result.tokens.isEmpty && result.text.isEmpty)
        let after = try session.generate("abc", parameters: parameters)
        #expect(after.finishReason == .length)
        #expect(after.tokens == (try fixture.session().generate("abc", parameters: parameters).tokens))
        #expect(throws: TandemError.cancelled) {
            try session.evaluate(tokens: [1, 2, 3], cancellation: token)
        }
    }

    @Test("cancelled by another thread while it runs", arguments: DecodingMode.allCases)
    func cancelledDuring(_ mode: DecodingMode) throws {
        let fixture = try EngineFixture(Self.recipe)
        let parameters = try GenerateParameters(maxTokens: 300, mode: mode, draftMax: 4, draftMin: 4)
        let whole = try fixture.session().generate("abc", parameters: parameters)
        let session = try fixture.session()
        for deltas in [1, 2, 5] {
            let token = CancellationToken()
            var seen = 0
            var joined = ""
            let result = try session.generate("abc", parameters: parameters, cancellation: token) {
                joined += $0.text
                seen += 1
                if seen == deltas {
                    let thread = Thread { token.cancel() }
                    thread.start()
                    while !token.isCancelled { sched_yield() }
                }
            }
            #expect(result.finishReason == .cancelled)
            #expect(!result.tokens.isEmpty && result.tokens.count < 300)
            #expect(result.tokens[...] == whole.tokens.prefix(result.tokens.count))
            #expect(joined == result.text)
        }
        #expect(try session.generate("abc", parameters: parameters).tokens == whole.tokens)
    }

    // MARK: - Threads

    @Test("a second call meanwhile is refused")
    func busy() throws {
        let session = try EngineFixture(Self.recipe).session()
        let parameters = try GenerateParameters(maxTokens: 20)
        var attempts = 0
        let result = try session.generate("abc", parameters: parameters) { _ in
            if attempts > 0 { return }
            attempts += 1
            let outcomes = onAnotherThread {
                [
                    refusal { _ = try session.generate("x", parameters: parameters) },
                    refusal { try session.reset() },
                    refusal { _ = try session.evaluate(tokens: [1, 2]) },
                ]
            }
            #expect(outcomes == [.sessionBusy, .sessionBusy, .sessionBusy])
        }
        #expect(attempts == 1)
        #expect(result.tokens.count == 20)
        #expect(refusal { try session.reset() } == nil)
    }

    // MARK: - Streams

    @Test("a stream yields the deltas and then the result")
    func stream() async throws {
        let fixture = try EngineFixture(Self.recipe)
        let parameters = try GenerateParameters(maxTokens: 50, draftMax: 3, draftMin: 3)
        let expected = try fixture.session().generate("abc", parameters: parameters)
        var joined = ""
        var results: [GenerationResult] = []
        for try await element in try fixture.session().stream("abc", parameters: parameters) {
            switch element {
            case .delta(let delta):
                #expect(results.isEmpty)
                joined += delta.text
            case .completed(let result): results.append(result)
            }
        }
        #expect(joined == expected.text)
        #expect(results.map(\.tokens) == [expected.tokens])
        #expect(results.first?.text == expected.text)
    }

    @Test("a stream throws what generate throws")
    func streamErrors() async throws {
        let session = try EngineFixture(Self.recipe).session()
        await #expect(throws: TandemError.emptyPrompt) {
            for try await _ in session.stream(tokens: [], parameters: try GenerateParameters()) {}
        }
        let silent = try EngineFixture(.single).session()
        await #expect(throws: TandemError.noTokenizer) {
            for try await _ in silent.stream("x", parameters: try GenerateParameters()) {}
        }
    }

    @Test("leaving a stream cancels the generation")
    func abandonedStream() async throws {
        var recipe = Self.recipe
        recipe.primary.positions = 100_000
        let session = try EngineFixture(recipe).session()
        // Without cancellation this would take minutes.
        let parameters = try GenerateParameters(draftMax: 2, draftMin: 2, ignoreEndTokens: true)
        for try await element in session.stream("abc", parameters: parameters) {
            if case .delta = element { break }
        }
        var waited = 0
        while refusal({ try session.reset() }) == .sessionBusy {
            try await Task.sleep(for: .milliseconds(5))
            waited += 5
            try #require(waited < 20_000, "the generation goes on")
        }
        let task = Task<FinishReason?, any Error> {
            for try await element in session.stream("abc", parameters: parameters) {
                if case .completed(let result) = element { return result.finishReason }
            }
            return nil
        }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        #expect(try await task.value == nil)
        waited = 0
        while refusal({ try session.reset() }) == .sessionBusy {
            try await Task.sleep(for: .milliseconds(5))
            waited += 5
            try #require(waited < 20_000, "the generation goes on")
        }
    }
}

/// The error that `body` throws, if it is one of the engine's.
func refusal(_ body: () throws -> Void) -> TandemError? {
    do {
        try body()
        return nil
    } catch { return error as? TandemError }
}

/// Runs `body` on another thread and waits for it.
private func onAnotherThread<T: Sendable>(_ body: @escaping @Sendable () -> T) -> T? {
    let box = ResultBox<T>()
    let done = DispatchSemaphore(value: 0)
    Thread {
        let value = body()
        box.value.withLock { $0 = value }
        done.signal()
    }.start()
    done.wait()
    return box.value.withLock { $0 }
}

private final class ResultBox<T: Sendable>: Sendable {
    let value = Guarded<T?>(nil)
}
