// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// Tells when a client has gone: it closed its connection, or the half of it that it speaks on.
///
/// Thread safety: any thread.
final class ClientPresence: Sendable {
    private struct State {
        var isGone = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Runs `action` once when the client goes; at once when it has gone. Replaces the action before.
    func onDeparture(_ action: (@Sendable () -> Void)?) {
        let isGone = state.withLock { state in
            if !state.isGone { state.action = action }
            return state.isGone
        }
        if isGone { action?() }
    }

    fileprivate func depart() {
        let action = state.withLock { state -> (@Sendable () -> Void)? in
            defer { state.action = nil }
            state.isGone = true
            return state.action
        }
        action?()
    }

    /// The presence of a connection's client.
    static func of(_ channel: any Channel) async throws -> ClientPresence {
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: ConnectionWatch.self).presence
        }.get()
    }
}

/// Watches one connection.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    let presence = ClientPresence()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { presence.depart() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        presence.depart()
        context.fireChannelInactive()
    }
}
