// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hummingbird
import Logging
import NIOCore

/// A place where the daemon takes connections.
enum Listener: Sendable, Equatable {
    case tcp(host: String, port: Int)
    case unix(path: String, mode: UInt32)

    /// The listener's server.
    /// - Parameter onReady: called with the address once connections are taken.
    func application(
        daemon: Daemon, logger: Logger, onReady: @escaping @Sendable (String) -> Void
    ) -> some ApplicationProtocol {
        let limits = daemon.settings.limits
        let address: BindAddress
        let tcpHost: String?
        switch self {
        case .tcp(let host, let port):
            address = .hostname(host, port: port)
            tcpHost = host
        case .unix(let path, _):
            address = .unixDomainSocket(path: path)
            tcpHost = nil
        }
        return Application(
            responder: Responder(daemon: daemon, tcpHost: tcpHost),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [ConnectionWatch()],
                    idleTimeout: .milliseconds(Int64(limits.keepAlive * 1000)))),
            configuration: .init(
                address: address, serverName: "tandemd",
                availableConnectionsDelegate: .maximum(limits.connections, logger: logger)),
            onServerRunning: { channel in onReady(self.ready(channel)) },
            logger: logger)
    }

    /// Refuses a Unix socket on which somebody answers, and a path that is no socket. One that a killed daemon has left
    /// behind is replaced.
    /// - Throws: ``SettingsError/conflict(_:)``.
    func checkIsFree() throws(SettingsError) {
        guard case .unix(let path, _) = self else { return }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw .conflict("\(path) exists and is no socket; remove it or give another --unix-socket")
        }
        guard let socket = UnixAddress(path).connectedSocket(type: SOCK_STREAM) else { return }
        close(socket)
        throw .conflict("another process is listening on \(path)")
    }

    /// Removes a Unix socket's file.
    func remove() {
        if case .unix(let path, _) = self { unsafe unlink(path) }
    }

    /// Opens a Unix socket to those it is for; returns the address for the log.
    private func ready(_ channel: any Channel) -> String {
        switch self {
        case .tcp(let host, let port):
            let name = host.contains(":") ? "[\(host)]" : host
            return "http://\(name):\(channel.localAddress?.port ?? port)"
        case .unix(let path, let mode):
            unsafe chmod(path, mode_t(mode))
            return "unix:\(path)"
        }
    }
}
