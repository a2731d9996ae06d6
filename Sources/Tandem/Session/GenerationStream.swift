// SPDX-License-Identifier: Apache-2.0

import Glibc
internal import TandemFormat
public import TandemTokenizer

extension Session {
    /// Generates on a thread of its own and yields deltas, then the result.
    ///
    /// Swift's cooperative threads are never blocked. Ending the iteration early, or cancelling the task that iterates,
    /// cancels the generation within one layer.
    /// - Throws: the stream throws ``TandemError``.
    public func stream(tokens: [TokenID], parameters: GenerateParameters)
        -> AsyncThrowingStream<Generation, any Error>
    {
        .generating { (cancellation, onDelta) throws(TandemError) in
            try self.generate(
                tokens: tokens, parameters: parameters, cancellation: cancellation, onDelta: onDelta)
        }
    }

    /// Generates from a text; see ``stream(tokens:parameters:)``.
    public func stream(_ prompt: String, parameters: GenerateParameters)
        -> AsyncThrowingStream<Generation, any Error>
    {
        do {
            return stream(tokens: try model.tokenize(prompt), parameters: parameters)
        } catch {
            return AsyncThrowingStream { $0.finish(throwing: error) }
        }
    }
}

extension AsyncThrowingStream<Generation, any Error> {
    /// Runs `generate` on a thread of its own and yields what it tells, then its result. The end of the stream cancels the
    /// token that `generate` is given.
    static func generating(
        _ generate:
            @escaping @Sendable (CancellationToken, (GenerationDelta) -> Void) throws(TandemError) ->
            GenerationResult
    ) -> Self {
        AsyncThrowingStream { continuation in
            let cancellation = CancellationToken()
            continuation.onTermination = { _ in cancellation.cancel() }
            let started = startDetachedThread {
                do throws(TandemError) {
                    let result = try generate(cancellation) { continuation.yield(.delta($0)) }
                    continuation.yield(.completed(result))
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            if !started {
                continuation.finish(
                    throwing: TandemError.outOfMemory(requestedBytes: 0, purpose: "a generation thread"))
            }
        }
    }
}

/// Runs `body` on a new detached thread with all signals blocked; returns whether the thread could be made.
func startDetachedThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    guard let thread = startThread(body).thread else { return false }
    pthread_detach(thread)
    return true
}
