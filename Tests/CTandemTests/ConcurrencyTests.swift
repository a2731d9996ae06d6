// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Dispatch
import TandemFormat
import Testing

@Suite struct ConcurrencyTests {
    private let model: Handle
    private let session: Handle

    init() throws {
        let loaded = try loadModel(threads: 2)
        model = Handle(pointer: loaded)
        session = Handle(pointer: try makeSession(loaded))
    }

    private func freeAll() {
        #expect(tandem_session_free(session.pointer) == TANDEM_OK)
        #expect(tandem_model_free(model.pointer) == TANDEM_OK)
    }

    /// Runs `body` on another thread and waits for it.
    private func elsewhere(_ body: @escaping @Sendable () -> Void) {
        let done = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            body()
            done.signal()
        }
        done.wait()
    }

    @Test func cancelFromAnotherThread() {
        defer { freeAll() }
        #expect(tandem_session_cancel(session.pointer) == TANDEM_ERROR_NOT_RUNNING)
        var options = generateOptions(maxTokens: 0)
        var result = emptyResult()
        let session = session
        let sink = TextSink { _ in
            elsewhere { #expect(tandem_session_cancel(session.pointer) == TANDEM_OK) }
            return 0
        }
        #expect(
            tandem_generate(session.pointer, "go", 2, &options, receiveText, sink.pointer, &result)
                == TANDEM_OK)
        #expect(result.finish_reason == TANDEM_FINISH_CANCELLED)
        #expect(result.completion_tokens < 200)

        // The next generation is not affected.
        options = generateOptions(maxTokens: 20)
        #expect(tandem_session_cancel(session.pointer) == TANDEM_ERROR_NOT_RUNNING)
        #expect(tandem_generate(session.pointer, "go", 2, &options, nil, nil, &result) == TANDEM_OK)
        #expect(result.finish_reason == TANDEM_FINISH_LENGTH)
        #expect(result.completion_tokens == 20)
    }

    @Test func aBusySessionRefuses() {
        defer { freeAll() }
        var options = generateOptions(maxTokens: 3)
        let session = session
        @Sendable func expectBusy() {
            #expect(tandem_generate(session.pointer, "x", 1, nil, nil, nil, nil) == TANDEM_ERROR_BUSY)
            #expect(sessionError(session.pointer).contains("generating"))
            #expect(tandem_session_reset(session.pointer) == TANDEM_ERROR_BUSY)
        }
        let sink = TextSink { _ in
            expectBusy()
            elsewhere { expectBusy() }
            return 0
        }
        var result = emptyResult()
        #expect(
            tandem_generate(session.pointer, "go", 2, &options, receiveText, sink.pointer, &result)
                == TANDEM_OK)
        #expect(sink.calls > 0)
        #expect(result.completion_tokens == 3)
        #expect(tandem_session_reset(session.pointer) == TANDEM_OK)
    }

    @Test(arguments: [true, false])
    func freeingARunningSessionCancelsIt(onOtherThread: Bool) {
        var options = generateOptions(maxTokens: 0)
        var result = emptyResult()
        let (model, session) = (model, session)
        let sink = TextSink { _ in
            let free: @Sendable () -> Void = {
                #expect(tandem_model_free(model.pointer) == TANDEM_OK)
                #expect(tandem_session_free(session.pointer) == TANDEM_OK)
                #expect(tandem_session_cancel(session.pointer) == TANDEM_ERROR_INVALID_HANDLE)
            }
            if onOtherThread { elsewhere(free) } else { free() }
            return 1
        }
        #expect(
            tandem_generate(session.pointer, "go", 2, &options, receiveText, sink.pointer, &result)
                == TANDEM_OK)
        #expect(sink.calls == 1)
        #expect(result.finish_reason == TANDEM_FINISH_CANCELLED)
        #expect(tandem_session_free(session.pointer) == TANDEM_ERROR_INVALID_HANDLE)
    }

    @Test func sessionsShareAModel() throws {
        defer { freeAll() }
        let model = model
        let texts = Guarded<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            guard let session = try? makeSession(model.pointer, contextSize: 256) else { return }
            var options = generateOptions(maxTokens: 40)
            let sink = TextSink()
            let status = tandem_generate(session, "Once", 4, &options, receiveText, sink.pointer, nil)
            #expect(status == TANDEM_OK)
            texts.withLock { $0.append(sink.text) }
            #expect(tandem_session_free(session) == TANDEM_OK)
        }
        let all = texts.withLock { $0 }
        #expect(all.count == 6)
        #expect(Set(all).count == 1)
    }

    @Test func manyThreadsOnOneSession() {
        defer { freeAll() }
        let session = session
        let finished = Guarded(0)
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<25 {
                var options = generateOptions(maxTokens: 4)
                switch (thread + round) % 4 {
                case 0:
                    let status = tandem_session_cancel(session.pointer)
                    #expect(status == TANDEM_OK || status == TANDEM_ERROR_NOT_RUNNING)
                case 1:
                    let status = tandem_session_reset(session.pointer)
                    #expect(status == TANDEM_OK || status == TANDEM_ERROR_BUSY)
                default:
                    let status = tandem_generate(session.pointer, "text", 4, &options, nil, nil, nil)
                    #expect(status == TANDEM_OK || status == TANDEM_ERROR_BUSY)
                    if status == TANDEM_OK { finished.withLock { $0 += 1 } }
                    _ = sessionErrorLength(session)
                }
            }
        }
        #expect(finished.withLock { $0 } > 0)
    }

    @Test func freeingWhileOthersCall() throws {
        defer { freeAll() }
        let model = model
        for _ in 0..<10 {
            let shared = Handle(pointer: try makeSession(model.pointer, contextSize: 64))
            let freed = Guarded(0)
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                var options = generateOptions(maxTokens: 8)
                let status = tandem_generate(shared.pointer, "text", 4, &options, nil, nil, nil)
                #expect([TANDEM_OK, TANDEM_ERROR_BUSY, TANDEM_ERROR_INVALID_HANDLE].contains(status))
                let free = tandem_session_free(shared.pointer)
                #expect(free == TANDEM_OK || free == TANDEM_ERROR_INVALID_HANDLE)
                if free == TANDEM_OK { freed.withLock { $0 += 1 } }
            }
            #expect(freed.withLock { $0 } == 1)
        }
    }

    private func sessionErrorLength(_ session: Handle) -> Int {
        var buffer = [CChar](repeating: 1, count: 32)
        return tandem_session_last_error(session.pointer, &buffer, buffer.count)
    }
}
