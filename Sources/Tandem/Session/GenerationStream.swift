// SPDX-License-Identifier: Apache-2.0

import Glibc
public import TandemTokenizer

/// What a generation stream yields.
public enum Generation: Sendable {
    /// The next piece of text (a delta, not the whole).
    case delta(String)
    /// The last element: the outcome.
    case completed(GenerationResult)
}

extension Session {
    /// Generates on a thread of its own and yields deltas, then the result.
    ///
    /// Swift's cooperative threads are never blocked. Ending the iteration early, or cancelling the task that iterates,
    /// cancels the generation within one layer.
    /// - Throws: the stream throws ``TandemError``.
    public func stream(tokens: [TokenID], parameters: GenerateParameters)
        -> AsyncThrowingStream<Generation, any Error>
    {
        AsyncThrowingStream { continuation in
            let cancellation = CancellationToken()
            continuation.onTermination = { _ in cancellation.cancel() }
            let started = startDetachedThread {
                do {
                    let result = try self.generate(
                        tokens: tokens, parameters: parameters, cancellation: cancellation
                    ) { continuation.yield(.delta($0)) }
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

/// A closure on its way to a new thread.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// Runs `body` on a new detached thread with all signals blocked; returns whether the thread could be made.
func startDetachedThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let context = unsafe Unmanaged.passRetained(ThreadBody(run: body))
    var all = sigset_t()
    var previous = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var thread = pthread_t()
    let status = unsafe pthread_create(
        &thread, nil,
        { context in
            if let context = unsafe context {
                unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            }
            return nil
        }, context.toOpaque())
    guard status == 0 else {
        unsafe context.release()
        return false
    }
    pthread_detach(thread)
    return true
}
