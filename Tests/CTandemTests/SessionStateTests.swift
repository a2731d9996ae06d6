// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Testing

@Suite struct SessionStateTests: SessionSuite {
    let model: OpaquePointer
    let session: OpaquePointer

    init() throws {
        model = try loadModel()
        session = try makeSession(model)
    }

    private func tokens(_ session: OpaquePointer?) -> [Int32] {
        var count = 0
        _ = tandem_session_tokens(session, nil, 0, &count)
        var ids = [Int32](repeating: -7, count: count)
        #expect(tandem_session_tokens(session, &ids, ids.count, &count) == TANDEM_OK)
        return ids
    }

    private func generated(_ session: OpaquePointer?, _ prompt: String) -> String {
        var options = generateOptions(maxTokens: 12)
        let sink = TextSink()
        #expect(
            tandem_generate(session, prompt, cString, &options, receiveText, sink.pointer, nil) == TANDEM_OK)
        return sink.text
    }

    @Test func forksHoldTheSameTokens() throws {
        defer { freeAll() }
        _ = generated(session, "Once upon")
        var copy: OpaquePointer?
        try #require(tandem_session_fork(session, &copy) == TANDEM_OK)
        #expect(tokens(copy) == tokens(session))
        #expect(tokens(copy).count > 9)
        #expect(tandem_session_reset(session) == TANDEM_OK)
        #expect(tokens(session).isEmpty)
        #expect(tokens(copy).count > 9)
        #expect(tandem_session_free(copy) == TANDEM_OK)
    }

    @Test func savedSessionsAreRestored() throws {
        defer { freeAll() }
        let file = try ModelFile()
        let path = try file.write(Data(), as: "saved") + ".session"
        _ = generated(session, "Once upon")
        #expect(tandem_session_save(session, path) == TANDEM_OK)
        let other = try makeSession(model)
        #expect(tandem_session_restore(other, path) == TANDEM_OK)
        #expect(tokens(other) == tokens(session))
        #expect(generated(other, "Once upon a time") == generated(session, "Once upon a time"))
        let held = tokens(other)
        #expect(tandem_session_restore(other, file.path) == TANDEM_ERROR_BAD_FILE)
        #expect(!sessionError(other).isEmpty)
        #expect(tokens(other) == held)
        #expect(tandem_session_free(other) == TANDEM_OK)
    }

    @Test func argumentsAreChecked() throws {
        defer { freeAll() }
        #expect(tandem_session_fork(session, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_session_save(session, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_session_save(session, "") == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_session_save(session, "/no/such/folder/file") == TANDEM_ERROR_IO)
        #expect(tandem_session_restore(session, "/no/such/file") == TANDEM_ERROR_IO)
        #expect(sessionError(session).contains("/no/such/file"))
        #expect(tandem_session_tokens(session, nil, 0, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        var count = 9
        #expect(tandem_session_tokens(session, nil, 4, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(count == 0)
        _ = generated(session, "a")
        #expect(tandem_session_tokens(session, nil, 0, &count) == TANDEM_ERROR_BUFFER_TOO_SMALL)
        #expect(count > 0)
    }
}
