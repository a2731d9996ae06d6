// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Tandem
import Testing

@Suite struct TokenFunctionTests: SessionSuite {
    let model: OpaquePointer
    let session: OpaquePointer

    init() throws {
        model = try loadModel()
        session = try makeSession(model)
    }

    private func generate(
        _ options: inout tandem_generate_options, _ sink: TokenSink, _ result: inout tandem_result
    ) -> Int32 {
        options.on_token = receiveToken
        return tandem_generate(session, "Once", cString, &options, nil, sink.pointer, &result)
    }

    @Test func logprobsAreThoseOfTheSwiftInterface() throws {
        defer { freeAll() }
        let swiftModel = try TandemModel.load(
            from: ModelFile.shared.get().path, options: LoadOptions(threadCount: 1))
        var expected: [GeneratedToken] = []
        _ = try swiftModel.makeSession().generate(
            "Once", parameters: GenerateParameters(maxTokens: 20, ignoreEndTokens: true, logprobs: 3)
        ) { expected += $0.tokens }
        var options = generateOptions(maxTokens: 20)
        (options.logprobs, options.top_logprobs) = (1, 3)
        var result = emptyResult()
        let sink = TokenSink()
        #expect(generate(&options, sink, &result) == TANDEM_OK)
        #expect(sink.tokens == expected)
        #expect(sink.tokens.count == 20)
        #expect(sink.tokens.allSatisfy { $0.top.count == 3 && $0.logprob ?? 1 <= 0 })
    }

    @Test func tokensWithoutLogprobs() {
        defer { freeAll() }
        var options = generateOptions(maxTokens: 8)
        var result = emptyResult()
        let sink = TokenSink()
        #expect(generate(&options, sink, &result) == TANDEM_OK)
        #expect(!sink.tokens.isEmpty)
        #expect(sink.tokens.allSatisfy { $0.top.isEmpty && $0.logprob == 0 && $0.bytes.count == 1 })
    }

    @Test func theTokenFunctionStopsTheGeneration() {
        defer { freeAll() }
        var options = generateOptions(maxTokens: 0)
        var result = emptyResult()
        let sink = TokenSink(limit: 3)
        #expect(generate(&options, sink, &result) == TANDEM_OK)
        #expect(sink.tokens.count == 3)
        #expect(result.finish_reason == TANDEM_FINISH_CANCELLED)
    }

    @Test func countsAreChecked() {
        defer { freeAll() }
        var result = emptyResult()
        for (logprobs, top) in [(0, 1), (1, 21), (1, -1), (0, -1)] as [(Int32, Int32)] {
            var options = generateOptions(maxTokens: 4)
            (options.logprobs, options.top_logprobs) = (logprobs, top)
            let sink = TokenSink()
            #expect(generate(&options, sink, &result) == TANDEM_ERROR_INVALID_ARGUMENT)
            #expect(sink.tokens.isEmpty)
        }
    }
}

/// Keeps what a token function receives.
private final class TokenSink {
    private(set) var tokens: [GeneratedToken] = []
    private let limit: Int

    init(limit: Int = .max) { self.limit = limit }

    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    func receive(_ token: tandem_token) -> Int32 {
        let top = UnsafeBufferPointer(start: token.top, count: token.top_count).map {
            TokenLogprob(id: $0.id, bytes: bytes($0.bytes, $0.length), logprob: $0.logprob)
        }
        tokens.append(
            GeneratedToken(
                id: token.id, bytes: bytes(token.bytes, token.length), logprob: token.logprob, top: top))
        return tokens.count < limit ? 0 : 1
    }

    private func bytes(_ pointer: UnsafePointer<CChar>?, _ count: Int) -> [UInt8] {
        guard let pointer, pointer[count] == 0 else { return [0, 0, 0] }
        return UnsafeBufferPointer(start: pointer, count: count).map { UInt8(bitPattern: $0) }
    }
}

private func receiveToken(_ user: UnsafeMutableRawPointer?, _ token: UnsafePointer<tandem_token>?) -> Int32 {
    guard let user, let token, token.pointee.size == MemoryLayout<tandem_token>.size else { return 1 }
    return Unmanaged<TokenSink>.fromOpaque(user).takeUnretainedValue().receive(token.pointee)
}
