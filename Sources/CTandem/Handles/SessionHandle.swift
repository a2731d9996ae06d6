// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Tandem
internal import TandemFormat

/// What a `tandem_session` stands for.
final class SessionHandle: Sendable {
    let session: Session
    let log: CallLog
    let lastError = ErrorText()
    private let state = Guarded(State())

    private struct State {
        /// Of the generation that is running.
        var cancellation: CancellationToken?
        var isFreed = false
    }

    init(session: Session, log: CallLog) {
        self.session = session
        self.log = log
    }

    /// Runs a call on the session that `handle` names, and keeps the text of its failure.
    static func call(
        _ handle: OpaquePointer?, function: StaticString = #function,
        _ body: (SessionHandle) throws(CallError) -> Void
    ) -> Int32 {
        let target: SessionHandle
        do throws(CallError) {
            target = try unsafe HandleTable.session(handle)
        } catch {
            return error.status
        }
        do throws(CallError) {
            try body(target)
            return TANDEM_OK
        } catch {
            target.lastError.set(error.text)
            target.log.write(failure: error, of: function)
            return error.status
        }
    }

    /// Runs one generation, which ``cancel()`` and ``markFreed()`` can stop.
    func generating(
        _ body: (CancellationToken) throws(CallError) -> GenerationResult
    ) throws(CallError) -> GenerationResult {
        let cancellation = CancellationToken()
        let refusal = state.withLock { state -> CallError? in
            if state.isFreed {
                return CallError(TANDEM_ERROR_INVALID_HANDLE, "the session was freed meanwhile")
            }
            if state.cancellation != nil { return CallError(TandemError.sessionBusy) }
            state.cancellation = cancellation
            return nil
        }
        if let refusal { throw refusal }
        defer { state.withLock { $0.cancellation = nil } }
        return try body(cancellation)
    }

    /// Stops the running generation; returns whether there was one.
    func cancel() -> Bool {
        guard let cancellation = state.withLock({ $0.cancellation }) else { return false }
        cancellation.cancel()
        return true
    }

    /// Stops the running generation and refuses new ones from calls that found the handle before it was removed.
    func markFreed() {
        let cancellation = state.withLock { state in
            state.isFreed = true
            return state.cancellation
        }
        cancellation?.cancel()
    }
}
