// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Tandem
import Testing

@Suite struct GenerateTests: SessionSuite {
    let model: OpaquePointer
    let session: OpaquePointer

    init() throws {
        model = try loadModel()
        session = try makeSession(model)
    }

    @Test(arguments: [TANDEM_MODE_DEFAULT, TANDEM_MODE_TANDEM, TANDEM_MODE_PRIMARY, TANDEM_MODE_SECONDARY])
    func sameAsTheSwiftInterface(mode: Int32) throws {
        defer { freeAll() }
        let modes: [Int32: DecodingMode] = [
            TANDEM_MODE_DEFAULT: .speed, TANDEM_MODE_TANDEM: .tandem, TANDEM_MODE_PRIMARY: .primary,
            TANDEM_MODE_SECONDARY: .secondary,
        ]
        let swiftModel = try TandemModel.load(
            from: ModelFile.shared.get().path, options: LoadOptions(threadCount: 1))
        let expected = try swiftModel.makeSession().generate(
            "A prompt.",
            parameters: GenerateParameters(
                maxTokens: 50, mode: modes[mode], draftMax: 4, draftMin: 4,
                sampling: SamplingParameters(
                    temperature: 0.9, topK: 0, topP: 0.99, minP: 0, repeatPenalty: 1.1, seed: 7),
                ignoreEndTokens: true))

        var options = generateOptions(maxTokens: 50)
        options.mode = mode
        // A fixed number: how many drafts pay is a matter of the clock.
        options.draft_max = 4
        options.draft_min = 4
        options.temperature = 0.9
        options.top_p = 0.99
        options.repeat_penalty = 1.1
        options.seed = 7
        var ids = [Int32](repeating: -7, count: 50)
        var result = emptyResult()
        let sink = TextSink()
        let status = ids.withUnsafeMutableBufferPointer { buffer in
            options.tokens = buffer.baseAddress
            options.token_capacity = buffer.count
            return tandem_generate(
                session, "A prompt.", cString, &options, receiveText, sink.pointer, &result)
        }
        #expect(status == TANDEM_OK)
        #expect(ids == expected.tokens)
        #expect(sink.text == expected.text)
        #expect(!sink.text.isEmpty)
        #expect(result.finish_reason == TANDEM_FINISH_LENGTH)
        #expect(result.prompt_tokens == 9)
        #expect(result.cached_prompt_tokens == 0)
        #expect(result.completion_tokens == 50)
        #expect(result.primary_passes == Int64(expected.speculative.primaryPasses))
        #expect(result.drafted_tokens == Int64(expected.speculative.drafted))
        #expect(result.accepted_tokens == Int64(expected.speculative.accepted))
        #expect(result.prompt_seconds > 0 && result.predicted_seconds > 0)
        #expect(result.prompt_per_second > 0 && result.predicted_per_second > 0)
    }

    /// Trees of drafts are as large as the session allows, and change no text.
    @Test func treesOfDrafts() throws {
        defer { freeAll() }
        func tokens(_ session: OpaquePointer, tree: Int32) -> (status: Int32, ids: [Int32]) {
            var options = generateOptions(maxTokens: 40)
            options.draft_tree = tree
            var ids = [Int32](repeating: -7, count: 40)
            let status = ids.withUnsafeMutableBufferPointer { buffer in
                options.tokens = buffer.baseAddress
                options.token_capacity = buffer.count
                return tandem_generate(session, "A prompt.", cString, &options, nil, nil, nil)
            }
            return (status, ids)
        }
        let expected = tokens(session, tree: 0)
        #expect(expected.status == TANDEM_OK)
        for tree: Int32 in [-1, 1, 16] {
            #expect(tokens(session, tree: tree) == expected, "\(tree)")
        }
        #expect(tokens(session, tree: 17).status == TANDEM_ERROR_INVALID_ARGUMENT)
        for (limit, most) in [(Int32(200), Int32(200)), (3, 3), (-1, 0), (0, 16)] {
            var options = tandem_session_options()
            options.size = MemoryLayout<tandem_session_options>.size
            options.tree_limit = limit
            var other: OpaquePointer?
            try #require(tandem_session_create(model, &options, &other) == TANDEM_OK)
            let session = try #require(other)
            #expect(tokens(session, tree: most) == expected, "\(limit)")
            #expect(tokens(session, tree: most + 1).status == TANDEM_ERROR_INVALID_ARGUMENT)
            #expect(tandem_session_free(session) == TANDEM_OK)
        }
    }

    @Test func secondGenerationUsesTheCacheUntilReset() {
        defer { freeAll() }
        var options = generateOptions(maxTokens: 4)
        var result = emptyResult()
        #expect(tandem_generate(session, "hello", 5, &options, nil, nil, &result) == TANDEM_OK)
        #expect(tandem_generate(session, "hello!", 6, &options, nil, nil, &result) == TANDEM_OK)
        #expect(result.cached_prompt_tokens == 5)
        #expect(tandem_session_reset(session) == TANDEM_OK)
        #expect(tandem_generate(session, "hello!", 6, &options, nil, nil, &result) == TANDEM_OK)
        #expect(result.cached_prompt_tokens == 0)
    }

    @Test func fewerTokenPlacesThanTokens() {
        defer { freeAll() }
        var options = generateOptions(maxTokens: 6)
        var ids = [Int32](repeating: -7, count: 6)
        var result = emptyResult()
        ids.withUnsafeMutableBufferPointer { buffer in
            options.tokens = buffer.baseAddress
            options.token_capacity = 2
            #expect(tandem_generate(session, "x", 1, &options, nil, nil, &result) == TANDEM_OK)
        }
        #expect(ids[0] >= 0 && ids[1] >= 0)
        #expect(ids[2...].allSatisfy { $0 == -7 })
        #expect(result.completion_tokens == 6)
    }

    @Test func endsBeforeAStopText() throws {
        defer { freeAll() }
        var options = generateOptions(maxTokens: 60)
        options.temperature = 1
        let whole = TextSink()
        #expect(tandem_generate(session, "seed", 4, &options, receiveText, whole.pointer, nil) == TANDEM_OK)
        let scalars = Array(whole.text.unicodeScalars)
        try #require(scalars.count > 20)
        var stop = String.UnicodeScalarView()
        stop.append(contentsOf: scalars[10..<13])
        let expected = try #require(whole.text.range(of: String(stop), options: .literal))

        let stopped = TextSink()
        var result = emptyResult()
        String(stop).withCString { first in
            "not in the text".withCString { second in
                let texts: [UnsafePointer<CChar>?] = [second, first]
                texts.withUnsafeBufferPointer { buffer in
                    options.stop = buffer.baseAddress
                    options.stop_count = buffer.count
                    #expect(
                        tandem_generate(session, "seed", 4, &options, receiveText, stopped.pointer, &result)
                            == TANDEM_OK)
                }
            }
        }
        #expect(result.finish_reason == TANDEM_FINISH_STOP)
        #expect(stopped.text == String(whole.text[..<expected.lowerBound]))
    }

    @Test func theTextFunctionStopsTheGeneration() {
        defer { freeAll() }
        var options = generateOptions(maxTokens: 0)
        var result = emptyResult()
        let sink = TextSink { _ in 5 }
        #expect(tandem_generate(session, "go", 2, &options, receiveText, sink.pointer, &result) == TANDEM_OK)
        #expect(sink.calls == 1)
        #expect(result.finish_reason == TANDEM_FINISH_CANCELLED)
        #expect(result.completion_tokens < 200)
    }

    @Test func fillsTheContextWithoutALimit() throws {
        defer { freeAll() }
        let small = try makeSession(model, contextSize: 40)
        var options = generateOptions(maxTokens: 0)
        var result = emptyResult()
        #expect(tandem_generate(small, "four", 4, &options, nil, nil, &result) == TANDEM_OK)
        #expect(result.finish_reason == TANDEM_FINISH_LENGTH)
        #expect(result.prompt_tokens + result.completion_tokens == 40)
        #expect(tandem_session_free(small) == TANDEM_OK)
    }

    @Test func tokensWithoutATokenizer() throws {
        defer { freeAll() }
        let bare = try loadModel(ModelFile(hasTokenizer: false))
        let session = try makeSession(bare)
        var count = 0
        #expect(tandem_tokenize(bare, "a", 1, nil, 0, &count) == TANDEM_ERROR_NO_TOKENIZER)
        #expect(tandem_generate(session, "a", 1, nil, nil, nil, nil) == TANDEM_ERROR_NO_TOKENIZER)
        #expect(sessionError(session).contains("no tokenizer"))
        var options = generateOptions(maxTokens: 5)
        var ids = [Int32](repeating: -7, count: 5)
        let sink = TextSink()
        ids.withUnsafeMutableBufferPointer { buffer in
            options.tokens = buffer.baseAddress
            options.token_capacity = buffer.count
            #expect(
                tandem_generate_tokens(session, [3, 4, 5], 3, &options, receiveText, sink.pointer, nil)
                    == TANDEM_OK)
        }
        #expect(sink.calls == 0)
        #expect(ids.allSatisfy { (0..<Int32(ModelFile.vocabularySize)).contains($0) })
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(bare) == TANDEM_OK)
    }

    @Test func resultOfANewerProgramIsFilledAndZeroed() {
        defer { freeAll() }
        let known = MemoryLayout<tandem_result>.size
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: known + 24, alignment: 8)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 0xEE, count: known + 24)
        bytes.storeBytes(of: known + 16, as: Int.self)
        let result = bytes.assumingMemoryBound(to: tandem_result.self)
        var options = generateOptions(maxTokens: 3)
        #expect(tandem_generate(session, "x", 1, &options, nil, nil, result) == TANDEM_OK)
        #expect(result.pointee.size == known + 16)
        #expect(result.pointee.completion_tokens == 3)
        let tail = UnsafeRawBufferPointer(start: bytes + known, count: 24)
        #expect(tail.prefix(16).allSatisfy { $0 == 0 })
        #expect(tail.suffix(8).allSatisfy { $0 == 0xEE })
    }
}
