// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import TandemFormat
import Testing

@Suite struct LogTests {
    private func load(_ path: String, level: Int32, _ sink: LogSink) -> (Int32, OpaquePointer?) {
        var options = tandem_load_options()
        options.size = MemoryLayout<tandem_load_options>.size
        options.threads = 1
        options.log_level = level
        options.on_log = receiveLog
        options.log_user_data = sink.pointer
        var model: OpaquePointer?
        let status = tandem_model_load(path, &options, &model, nil, 0)
        return (status, model)
    }

    @Test func tellsTheLifeOfAModel() throws {
        let sink = LogSink()
        let (status, model) = load(try ModelFile.shared.get().path, level: TANDEM_LOG_DEBUG, sink)
        try #require(status == TANDEM_OK)
        let session = try makeSession(model)
        var options = generateOptions(maxTokens: 4)
        #expect(tandem_generate(session, "a", 1, &options, nil, nil, nil) == TANDEM_OK)
        options.mode = 99
        #expect(tandem_generate(session, "a", 1, &options, nil, nil, nil) == TANDEM_ERROR_UNSUPPORTED)
        #expect(tandem_model_free(model) == TANDEM_OK)
        #expect(tandem_session_free(session) == TANDEM_OK)
        let lines = sink.lines
        #expect(
            lines.map(\.level) == [
                TANDEM_LOG_INFO, TANDEM_LOG_DEBUG, TANDEM_LOG_DEBUG, TANDEM_LOG_ERROR, TANDEM_LOG_INFO,
                TANDEM_LOG_DEBUG,
            ])
        #expect(lines[0].text.contains("model.tandem"))
        #expect(lines[2].text.contains("4 generated"))
        #expect(lines[3].text == "tandem_generate: mode is 99, which is no TANDEM_MODE_ value")
        #expect(lines.allSatisfy { !$0.text.contains("\n") })
    }

    @Test func levelsAreKept() throws {
        let sink = LogSink()
        let (status, model) = load(try ModelFile.shared.get().path, level: TANDEM_LOG_ERROR, sink)
        try #require(status == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
        #expect(sink.lines.isEmpty)
        #expect(load("/none\n/such", level: TANDEM_LOG_ERROR, sink).0 == TANDEM_ERROR_IO)
        #expect(sink.lines.count == 1)
        #expect(sink.lines.first?.text.hasPrefix("tandem_model_load: '/none /such'") == true)
        #expect(load("/none", level: 5, sink).0 == TANDEM_ERROR_UNSUPPORTED)
        #expect(load("/none", level: -1, sink).0 == TANDEM_ERROR_UNSUPPORTED)
    }
}

/// Keeps the lines of a log.
private final class LogSink: Sendable {
    private let kept = Guarded<[(level: Int32, text: String)]>([])

    var lines: [(level: Int32, text: String)] { kept.withLock { $0 } }

    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    func receive(_ level: Int32, _ text: String) { kept.withLock { $0.append((level, text)) } }
}

private func receiveLog(_ user: UnsafeMutableRawPointer?, _ level: Int32, _ message: UnsafePointer<CChar>?) {
    guard let user, let message else { return }
    Unmanaged<LogSink>.fromOpaque(user).takeUnretainedValue().receive(level, String(cString: message))
}
