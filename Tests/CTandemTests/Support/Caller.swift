// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Testing

/// `TANDEM_C_STRING`, a cast that Swift does not import.
let cString = -1

/// A handle on its way to another thread.
struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer?
}

/// Loads the shared model, or one of the test's own. The caller frees it.
func loadModel(_ file: ModelFile? = nil, threads: Int32 = 1) throws -> OpaquePointer {
    var options = tandem_load_options()
    options.size = MemoryLayout<tandem_load_options>.size
    options.threads = threads
    var model: OpaquePointer?
    var error = [CChar](repeating: 1, count: 256)
    let status = try tandem_model_load(
        (file ?? ModelFile.shared.get()).path, &options, &model, &error, error.count)
    try #require(status == TANDEM_OK, "\(text(error))")
    return try #require(model)
}

/// Makes a session with the default options, or some of the test's own. The caller frees it.
func makeSession(_ model: OpaquePointer?, contextSize: Int32 = 0) throws -> OpaquePointer {
    var options = tandem_session_options()
    options.size = MemoryLayout<tandem_session_options>.size
    options.context_size = contextSize
    var session: OpaquePointer?
    try #require(tandem_session_create(model, &options, &session) == TANDEM_OK)
    return try #require(session)
}

/// A suite whose tests have a model and a session each, and free them.
protocol SessionSuite {
    var model: OpaquePointer { get }
    var session: OpaquePointer { get }
}

extension SessionSuite {
    func freeAll() {
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }
}

func generateOptions(maxTokens: Int32) -> tandem_generate_options {
    var options = tandem_generate_options()
    options.size = MemoryLayout<tandem_generate_options>.size
    options.max_tokens = maxTokens
    options.ignore_end_tokens = 1
    return options
}

func emptyResult() -> tandem_result {
    var result = tandem_result()
    result.size = MemoryLayout<tandem_result>.size
    return result
}

/// The NUL-terminated text in a buffer.
func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func sessionError(_ session: OpaquePointer?) -> String {
    var buffer = [CChar](repeating: 1, count: 512)
    let length = tandem_session_last_error(session, &buffer, buffer.count)
    #expect(length == text(buffer).utf8.count)
    return text(buffer)
}

func modelError(_ model: OpaquePointer?) -> String {
    var buffer = [CChar](repeating: 1, count: 512)
    let length = tandem_model_last_error(model, &buffer, buffer.count)
    #expect(length == text(buffer).utf8.count)
    return text(buffer)
}

/// Receives text from C, and may answer each piece.
final class TextSink {
    private(set) var text = ""
    private(set) var calls = 0
    private let answer: (String) -> Int32

    init(answer: @escaping (String) -> Int32 = { _ in 0 }) {
        self.answer = answer
    }

    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    fileprivate func receive(_ piece: String) -> Int32 {
        text += piece
        calls += 1
        return answer(piece)
    }
}

/// The text function of every test; `user` is a ``TextSink``.
func receiveText(_ user: UnsafeMutableRawPointer?, _ bytes: UnsafePointer<CChar>?, _ length: Int) -> Int32 {
    guard let user, let bytes else { return 1 }
    let piece = UnsafeRawBufferPointer(start: bytes, count: length)
    // The NUL is promised, and pieces are whole characters.
    guard bytes[length] == 0, let text = String(validating: piece, as: UTF8.self) else { return 1 }
    return Unmanaged<TextSink>.fromOpaque(user).takeUnretainedValue().receive(text)
}
