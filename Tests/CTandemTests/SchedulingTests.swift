// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Testing

@Suite struct SchedulingTests {
    private func load(running: Int32, queued: Int32) throws -> (Int32, OpaquePointer?) {
        var options = tandem_load_options()
        options.size = MemoryLayout<tandem_load_options>.size
        options.threads = 1
        (options.max_running, options.max_queued) = (running, queued)
        var model: OpaquePointer?
        return (tandem_model_load(try ModelFile.shared.get().path, &options, &model, nil, 0), model)
    }

    private func statistics(_ model: OpaquePointer?) -> tandem_statistics {
        var statistics = tandem_statistics()
        statistics.size = MemoryLayout<tandem_statistics>.size
        #expect(tandem_model_statistics(model, &statistics) == TANDEM_OK)
        return statistics
    }

    @Test func aFullQueueRefuses() throws {
        let (status, model) = try load(running: 1, queued: -1)
        try #require(status == TANDEM_OK)
        let (first, second) = (Handle(pointer: try makeSession(model)), try makeSession(model))
        var options = generateOptions(maxTokens: 8)
        let sink = TextSink { _ in
            var other = generateOptions(maxTokens: 4)
            #expect(tandem_generate(second, "a", 1, &other, nil, nil, nil) == TANDEM_ERROR_QUEUE_FULL)
            #expect(statistics(model).running == 1)
            return 0
        }
        #expect(
            tandem_generate(first.pointer, "a", 1, &options, receiveText, sink.pointer, nil) == TANDEM_OK)
        #expect(sink.calls > 0)
        #expect(tandem_generate(second, "a", 1, &options, nil, nil, nil) == TANDEM_OK)
        let total = statistics(model)
        #expect((total.running, total.queued) == (0, 0))
        #expect(total.generated_tokens == 16)
        #expect(total.primary_passes > 0 && total.primary_rows >= 16 && total.pass_seconds > 0)
        #expect(tandem_session_free(first.pointer) == TANDEM_OK)
        #expect(tandem_session_free(second) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    @Test func optionsAreChecked() throws {
        for (running, queued) in [(-1, 0), (1025, 0), (0, -2), (0, 1_000_001)] as [(Int32, Int32)] {
            #expect(try load(running: running, queued: queued).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        }
        let model = try loadModel()
        let session = try makeSession(model, contextSize: 32)
        func status(_ change: (inout tandem_generate_options) -> Void) -> Int32 {
            var options = generateOptions(maxTokens: 4)
            change(&options)
            return tandem_generate(session, "a", 1, &options, nil, nil, nil)
        }
        #expect(status { $0.priority = TANDEM_PRIORITY_BACKGROUND } == TANDEM_OK)
        #expect(status { $0.priority = 2 } == TANDEM_ERROR_UNSUPPORTED)
        #expect(status { $0.context_overflow = 2 } == TANDEM_ERROR_UNSUPPORTED)
        #expect(status { $0.context_keep = 1 } == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(
            status { ($0.context_overflow, $0.context_keep) = (TANDEM_OVERFLOW_SHIFT, -1) }
                == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_model_statistics(model, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        var short = tandem_statistics()
        short.size = 8
        #expect(tandem_model_statistics(model, &short) == TANDEM_ERROR_STRUCT_SIZE)
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    @Test func aFullContextIsShifted() throws {
        let model = try loadModel()
        let session = try makeSession(model, contextSize: 32)
        var options = generateOptions(maxTokens: 100)
        var result = emptyResult()
        #expect(tandem_generate(session, "Once", 4, &options, nil, nil, &result) == TANDEM_OK)
        #expect(result.completion_tokens < 32)
        #expect(tandem_session_reset(session) == TANDEM_OK)
        (options.context_overflow, options.context_keep) = (TANDEM_OVERFLOW_SHIFT, 4)
        #expect(tandem_generate(session, "Once", 4, &options, nil, nil, &result) == TANDEM_OK)
        #expect(result.completion_tokens == 100)
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    @Test func embeddings() throws {
        let model = try loadModel()
        var count = 0
        #expect(tandem_embedding(model, "Hello", 5, 0, nil, 0, &count) == TANDEM_ERROR_BUFFER_TOO_SMALL)
        #expect(count == 32)
        var mean = [Float](repeating: 9, count: count)
        var last = mean
        #expect(
            tandem_embedding(model, "Hello", 5, TANDEM_POOLING_MEAN, &mean, count, &count) == TANDEM_OK)
        #expect(
            tandem_embedding(model, "Hello", cString, TANDEM_POOLING_LAST, &last, count, &count) == TANDEM_OK)
        #expect(mean != last)
        for vector in [mean, last] { #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-4) }
        #expect(tandem_embedding(model, "a", 1, 2, &mean, count, &count) == TANDEM_ERROR_UNSUPPORTED)
        #expect(
            tandem_embedding(model, nil, 0, 0, &mean, mean.count, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_embedding(model, "a", 1, 0, nil, 1, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_embedding(model, "a", 1, 0, &mean, 1, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }
}
