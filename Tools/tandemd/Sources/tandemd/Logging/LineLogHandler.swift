// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging
import TandemJSON

/// Writes one line per message to standard error: logfmt, or JSON objects.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    let format: Settings.LogFormat

    init(level: Logger.Level, format: Settings.LogFormat) {
        logLevel = level
        self.format = format
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members = metadata
        if let more = event.metadata { members.merge(more) { $1 } }
        let fields = members.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        let time = utcTimestamp()
        let line =
            switch format {
            case .logfmt: Self.logfmt(time, event.level, "\(event.message)", fields)
            case .json: Self.json(time, event.level, "\(event.message)", fields)
            }
        write(line)
    }

    private static func logfmt(
        _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(String, String)]
    ) -> String {
        var line = "time=\(time) level=\(level.rawValue) msg=\(quoted(message))"
        for (key, value) in fields { line += " \(key)=\(quoted(value))" }
        return line + "\n"
    }

    private static func json(
        _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(String, String)]
    ) -> String {
        var object: JSONObject = [
            "time": .string(time), "level": .string(level.rawValue), "msg": .string(message),
        ]
        for (key, value) in fields where object[key] == nil { object[key] = .string(value) }
        return JSONValue.object(object).serialized(sortedKeys: false) + "\n"
    }

    /// A value that is one word of a line, in quotes where it needs them.
    private static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3D }
        return isPlain ? text : JSONValue.string(text).serialized()
    }

    /// Whole lines, so that lines of several threads do not mix.
    private func write(_ line: String) {
        let bytes = Array(line.utf8)
        unsafe bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let count = unsafe Glibc.write(
                    STDERR_FILENO, buffer.baseAddress?.advanced(by: sent), buffer.count - sent)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                sent += count
            }
        }
    }
}

/// The time now, as `2026-11-21T09:30:00.123Z`.
func utcTimestamp() -> String {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    var parts = unsafe tm()
    unsafe gmtime_r(&now.tv_sec, &parts)
    func digits(_ value: Int, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let date = unsafe [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday].map { digits(Int($0), 2) }
    let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0), 2) }
    return date.joined(separator: "-") + "T" + clock.joined(separator: ":")
        + ".\(digits(now.tv_nsec / 1_000_000, 3))Z"
}

/// Seconds of a clock that never jumps.
func monotonicSeconds() -> Double {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
}

/// Seconds since 1970.
func unixSeconds() -> Int {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec
}
