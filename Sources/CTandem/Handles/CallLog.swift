// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader

/// Where a model and its sessions report to: a function of the host's, or nowhere.
///
/// Thread safety: the host promises that its function may be called by several threads at a time.
@safe
struct CallLog: @unchecked Sendable {
    private let function: tandem_log_function?
    private let userData: UnsafeMutableRawPointer?
    private let lastLevel: Int32

    static let none = unsafe CallLog(function: nil, userData: nil, lastLevel: 0)

    init(function: tandem_log_function?, userData: UnsafeMutableRawPointer?, lastLevel: Int32) {
        unsafe self.function = unsafe function
        unsafe self.userData = unsafe userData
        self.lastLevel = lastLevel
    }

    /// Hands a line to the host; never called while a lock is held. Line breaks become spaces.
    func write(_ level: Int32, _ message: @autoclosure () -> String) {
        guard let function = unsafe function, level <= lastLevel else { return }
        let line = String(message().unicodeScalars.map { $0.properties.isWhitespace ? " " : Character($0) })
        unsafe line.withCString { unsafe function(userData, level, $0) }
    }

    /// Says that a call failed.
    /// - Parameter function: `#function` of the call.
    func write(failure error: CallError, of function: StaticString) {
        write(TANDEM_LOG_ERROR, "\(Self.name(function)): \(error.text)")
    }

    private static func name(_ function: StaticString) -> Substring {
        "\(function)".prefix { $0 != "(" }
    }
}
