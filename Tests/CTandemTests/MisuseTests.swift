// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Testing

@Suite struct MisuseTests {
    /// Calls every function with a handle that is none; all must say so and touch nothing.
    private func expectInvalid(_ handle: OpaquePointer?, model: Bool = true, session: Bool = true) {
        var count = 77
        var other: OpaquePointer?
        var buffer: [CChar] = [1, 1]
        if model {
            #expect(tandem_tokenize(handle, "a", 1, nil, 0, &count) == TANDEM_ERROR_INVALID_HANDLE)
            #expect(tandem_detokenize(handle, [1], 1, nil, 0, &count) == TANDEM_ERROR_INVALID_HANDLE)
            #expect(count == 0)
            #expect(tandem_session_create(handle, nil, &other) == TANDEM_ERROR_INVALID_HANDLE)
            #expect(other == nil)
            #expect(tandem_model_last_error(handle, &buffer, 2) == 0)
            if handle != nil { #expect(tandem_model_free(handle) == TANDEM_ERROR_INVALID_HANDLE) }
        }
        if session {
            #expect(tandem_session_reset(handle) == TANDEM_ERROR_INVALID_HANDLE)
            #expect(tandem_session_cancel(handle) == TANDEM_ERROR_INVALID_HANDLE)
            #expect(tandem_session_last_error(handle, &buffer, 2) == 0)
            #expect(tandem_generate(handle, "a", 1, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_HANDLE)
            #expect(tandem_generate_tokens(handle, [1], 1, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_HANDLE)
            if handle != nil { #expect(tandem_session_free(handle) == TANDEM_ERROR_INVALID_HANDLE) }
        }
        #expect(buffer == [0, 1])
    }

    @Test func valuesThatNeverWereHandles() {
        expectInvalid(nil)
        for value: UInt in [1, 8, 4096, 0xDEAD_BEEF, .max, .max - 7, 1 << 63] {
            expectInvalid(OpaquePointer(bitPattern: value))
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)
        expectInvalid(OpaquePointer(memory))
        memory.deallocate()
        expectInvalid(OpaquePointer(memory))
    }

    @Test func freeingNothingIsFine() {
        #expect(tandem_model_free(nil) == TANDEM_OK)
        #expect(tandem_session_free(nil) == TANDEM_OK)
    }

    @Test func freedHandles() throws {
        let model = try loadModel()
        let session = try makeSession(model)
        #expect(tandem_session_free(session) == TANDEM_OK)
        expectInvalid(session)
        let next = try makeSession(model)
        #expect(next != session)
        #expect(tandem_session_free(next) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
        expectInvalid(model)
        expectInvalid(session)
    }

    @Test func handlesOfTheOtherType() throws {
        let model = try loadModel()
        let session = try makeSession(model)
        expectInvalid(model, model: false)
        expectInvalid(session, session: false)
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    @Test func sessionsOutliveTheirModel() throws {
        let model = try loadModel()
        let session = try makeSession(model)
        #expect(tandem_model_free(model) == TANDEM_OK)
        expectInvalid(model)
        var options = generateOptions(maxTokens: 10)
        var result = emptyResult()
        #expect(tandem_generate(session, "still here", cString, &options, nil, nil, &result) == TANDEM_OK)
        #expect(result.completion_tokens == 10)
        #expect(tandem_session_free(session) == TANDEM_OK)
    }

    @Test func sessionOptionsAreChecked() throws {
        let model = try loadModel()
        defer { #expect(tandem_model_free(model) == TANDEM_OK) }
        func refusal(_ change: (inout tandem_session_options) -> Void) -> Int32 {
            var options = tandem_session_options()
            options.size = MemoryLayout<tandem_session_options>.size
            change(&options)
            var session = OpaquePointer(bitPattern: 0x123_4560)
            let status = tandem_session_create(model, &options, &session)
            #expect(session == nil)
            return status
        }
        #expect(tandem_session_create(model, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.size = 0 } == TANDEM_ERROR_STRUCT_SIZE)
        for value: Int32 in [1, -1, 2049, .max, .min] {
            #expect(refusal { $0.context_size = value } == TANDEM_ERROR_INVALID_ARGUMENT)
        }
        #expect(modelError(model).hasPrefix("context_size is -2147483648"))
        #expect(refusal { $0.batch_size = -1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.batch_size = .max } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.draft_limit = 65 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.draft_limit = -1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(modelError(model).hasPrefix("draft_limit is -1"))
        #expect(refusal { $0.cache_type = 4 } == TANDEM_ERROR_UNSUPPORTED)
        #expect(refusal { $0.reserved = 1 } == TANDEM_ERROR_UNSUPPORTED)
        #expect(refusal { $0.tree_limit = 513 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.tree_limit = -2 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(modelError(model).hasPrefix("tree_limit is -2"))
    }

    @Test func generateOptionsAreChecked() throws {
        let session = try makeSessionOfItsOwn()
        defer { #expect(tandem_session_free(session) == TANDEM_OK) }
        func refusal(_ change: (inout tandem_generate_options) -> Void) -> Int32 {
            var options = generateOptions(maxTokens: 1)
            change(&options)
            let sink = TextSink()
            let status = tandem_generate(session, "a", 1, &options, receiveText, sink.pointer, nil)
            #expect(sink.calls == 0)
            return status
        }
        #expect(refusal { $0.size = 0 } == TANDEM_ERROR_STRUCT_SIZE)
        #expect(refusal { $0.size = -1 } == TANDEM_ERROR_STRUCT_SIZE)
        #expect(refusal { $0.mode = 5 } == TANDEM_ERROR_UNSUPPORTED)
        #expect(refusal { $0.mode = -1 } == TANDEM_ERROR_UNSUPPORTED)
        #expect(refusal { $0.max_tokens = -1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(sessionError(session).hasPrefix("max_tokens is -1"))
        #expect(refusal { $0.draft_max = 65 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.draft_max = 17 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.draft_tree = -2 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.draft_tree = 513 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(sessionError(session).hasPrefix("draft_tree is 513"))
        #expect(refusal { $0.draft_tree = 17 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(
            refusal { ($0.draft_tree, $0.draft_max, $0.draft_min) = (2, 3, 3) }
                == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.temperature = -1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.temperature = .nan } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.top_p = .infinity } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.top_k = -1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.repeat_last_n = -2 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(sessionError(session).hasPrefix("repeat_last_n is -2"))
        #expect(refusal { $0.token_capacity = 1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal { $0.stop_count = 1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        let none: [UnsafePointer<CChar>?] = [nil]
        none.withUnsafeBufferPointer { texts in
            #expect(
                refusal { ($0.stop, $0.stop_count) = (texts.baseAddress, 1) } == TANDEM_ERROR_INVALID_ARGUMENT
            )
            #expect(
                refusal { ($0.stop, $0.stop_count) = (texts.baseAddress, -1) }
                    == TANDEM_ERROR_INVALID_ARGUMENT)
            #expect(
                refusal { ($0.stop, $0.stop_count) = (texts.baseAddress, 257) }
                    == TANDEM_ERROR_INVALID_ARGUMENT)
        }
        var result = tandem_result()
        #expect(tandem_generate(session, "a", 1, nil, nil, nil, &result) == TANDEM_ERROR_STRUCT_SIZE)
        #expect(result.completion_tokens == 0)
    }

    @Test func promptsAreChecked() throws {
        let model = try loadModel()
        let session = try makeSession(model, contextSize: 8)
        var options = generateOptions(maxTokens: 1)
        #expect(tandem_generate(session, nil, 1, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_generate(session, nil, cString, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_generate(session, "", 0, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_generate(session, "a", Int.max, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_generate(session, "é", 1, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_UTF8)
        #expect(tandem_generate(session, "12345678", 8, nil, nil, nil, nil) == TANDEM_ERROR_PROMPT_TOO_LONG)
        #expect(sessionError(session).contains("8 tokens"))
        #expect(tandem_generate_tokens(session, nil, 0, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_generate_tokens(session, nil, 3, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(
            tandem_generate_tokens(session, [1], Int.min, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT
        )
        for id: Int32 in [-1, Int32(ModelFile.vocabularySize), .max, .min] {
            #expect(
                tandem_generate_tokens(session, [1, id], 2, nil, nil, nil, nil) == TANDEM_ERROR_INVALID_TOKEN)
        }
        #expect(tandem_generate(session, "1234567", 7, &options, nil, nil, nil) == TANDEM_OK)
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    private func makeSessionOfItsOwn() throws -> OpaquePointer {
        let model = try loadModel()
        defer { #expect(tandem_model_free(model) == TANDEM_OK) }
        return try makeSession(model)
    }
}
