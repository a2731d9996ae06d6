// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Tells systemd, or whoever else listens on `NOTIFY_SOCKET`, what the daemon is doing: the protocol of `sd_notify`.
///
/// Thread safety: any thread.
struct ServiceNotifier: Sendable {
    private let address: UnixAddress?
    /// Seconds after which a service without a sign of life is killed; nil when nobody watches.
    let watchdogSeconds: Double?

    /// - Parameter environment: `NOTIFY_SOCKET`, a path or an abstract name that begins with `@`; `WATCHDOG_USEC`.
    init(environment: [String: String], processID: Int32 = getpid()) {
        if let name = environment["NOTIFY_SOCKET"], let first = name.utf8.first, name.utf8.count > 1,
            first == UInt8(ascii: "/") || first == UInt8(ascii: "@"), name.utf8.count < 108
        {
            address = UnixAddress(name)
        } else {
            address = nil
        }
        let isForUs = environment["WATCHDOG_PID"].map { $0 == "\(processID)" } ?? true
        let microseconds = isForUs ? environment["WATCHDOG_USEC"].flatMap { Double($0) } : nil
        watchdogSeconds = microseconds.flatMap { $0 > 0 ? $0 * 1e-6 : nil }
    }

    /// The model is loaded and requests are taken.
    func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }
    /// The daemon is shutting down.
    func stopping() { send("STOPPING=1\nSTATUS=Draining") }
    /// The daemon is alive.
    func alive() { send("WATCHDOG=1") }
    /// One line on what the daemon does.
    func status(_ text: String) { send("STATUS=\(text)") }
    /// Starting takes so many seconds more.
    func extendStart(seconds: Int) { send("EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)") }

    /// Sends one datagram; a listener that is gone is no concern of the daemon's.
    private func send(_ message: String) {
        guard let socket = address?.connectedSocket(type: SOCK_DGRAM) else { return }
        defer { close(socket) }
        let bytes = Array(message.utf8)
        unsafe bytes.withUnsafeBytes { buffer in
            _ = unsafe Glibc.send(socket, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
        }
    }
}
