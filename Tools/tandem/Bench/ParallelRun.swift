// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Tandem
import TandemTokenizer

/// Sessions of one model that generate at the same time.
struct ParallelRun {
    /// One run of all sessions.
    struct Sample: Sendable {
        /// Tokens of all sessions together in a second, prompts left out.
        let tokensPerSecond: Double
        /// Seconds between one piece of text and the next of the same session.
        let gaps: [Double]
    }

    /// What one session did.
    private struct Part: Sendable {
        var tokenCount = 0
        /// When each piece of text came.
        var times: [Double] = []
    }

    let model: TandemModel
    let sessionCount: Int
    let tokenCount: Int
    let mode: DecodingMode
    let keyValueType: KeyValueType
    let prompts: [[TokenID]]

    /// Runs every session once; the sessions are new ones.
    func sample() throws -> Sample {
        let limit = model.manifest.primary.maxPositions
        let longest = prompts.map(\.count).max() ?? 1
        guard longest + tokenCount < limit else {
            throw BenchError.contextTooSmall(
                test: "tg\(tokenCount) x \(sessionCount)", needed: longest + tokenCount + 1, limit: limit)
        }
        let options = try SessionOptions(contextSize: longest + tokenCount + 1, keyValueType: keyValueType)
        let sessions = try (0..<sessionCount).map { _ in try model.makeSession(options: options) }
        // Pieces of text where there are any, else single tokens.
        let parameters = try GenerateParameters(
            maxTokens: tokenCount, mode: mode, ignoreEndTokens: true,
            logprobs: model.tokenizer == nil ? 0 : nil)
        let prompts = prompts
        let outcome = Outcome(count: sessionCount)
        let threads = sessions.indices.map { index in
            Thread {
                var part = Part()
                let result = Result {
                    let result = try sessions[index].generate(
                        tokens: prompts[index % prompts.count], parameters: parameters,
                        cancellation: interruptibleToken
                    ) { _ in part.times.append(monotonicSeconds()) }
                    if result.finishReason == .cancelled { throw TandemError.cancelled }
                    part.tokenCount = result.tokens.count
                    return part
                }
                outcome.set(result, at: index)
            }
        }
        for thread in threads { thread.join() }
        let parts = try outcome.get()
        // While all of them generate: from the first piece to the last one.
        let start = parts.compactMap(\.times.first).min() ?? 0
        let end = parts.compactMap(\.times.last).max() ?? 0
        let tokens = parts.reduce(0) { $0 + max(0, $1.tokenCount - 1) }
        return Sample(
            tokensPerSecond: end > start ? Double(tokens) / (end - start) : 0,
            gaps: parts.flatMap { part in zip(part.times.dropFirst(), part.times).map { $0 - $1 } })
    }

    /// Results of threads.
    private final class Outcome: Sendable {
        private let results: Mutex<[Result<Part, any Error>?]>

        init(count: Int) { results = Mutex([Result<Part, any Error>?](repeating: nil, count: count)) }

        func set(_ result: Result<Part, any Error>, at index: Int) {
            results.withLock { $0[index] = result }
        }

        func get() throws -> [Part] {
            try results.withLock { $0 }.compactMap { try $0?.get() }
        }
    }

    /// A thread that is waited for; where the system refuses one, the body runs at once.
    private struct Thread {
        private var number: pthread_t?

        private final class Body: Sendable {
            let run: @Sendable () -> Void
            init(_ run: @escaping @Sendable () -> Void) { self.run = run }
        }

        init(_ body: @escaping @Sendable () -> Void) {
            var number = pthread_t()
            let context = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
            let status = unsafe pthread_create(
                &number, nil,
                { context in
                    unsafe context.map { unsafe Unmanaged<Body>.fromOpaque($0).takeRetainedValue().run() }
                    return nil
                }, context)
            if status == 0 {
                self.number = number
            } else {
                unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }
        }

        func join() { if let number { pthread_join(number, nil) } }
    }

    /// What the sessions continue when no texts are given.
    static let texts = [
        "Once upon a time there was a little girl who", "One day, Tom and his dog went to the park.",
        "The sun was warm and the birds sang. A small frog", "Lily had a red ball. She wanted to",
        "In the big forest lived an old bear. Every morning he", "Mom said, \"Let us bake a cake!\" Then",
        "Ben found a shiny stone near the river and", "It was a rainy day. Sam and Mia stayed at home and",
    ]
}

/// The value that the given share of all values does not exceed; 0 of none.
func percentile(_ values: [Double], _ share: Double) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.down)))]
}
