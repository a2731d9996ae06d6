// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import NIOCore
import Synchronization
import Tandem
import TandemJSON
import TandemTokenizer

extension Call {
    /// `POST /v1/embeddings`
    func embeddings() async throws -> Response {
        let activity = try daemon.enter()
        defer { withExtendedLifetime(activity) {} }
        let fields = try await fields()
        let host = try daemon.host(fields)
        record.note("model", host.name)
        let lease = try await host.lease()
        let request = try await daemon.threads.prepare {
            try EmbeddingFields(fields, lease.loaded, limits: daemon.settings.limits)
        }
        let isBackground = try GenerationFields.isBackground(fields, priorityHeader)
        let ticket = try host.gate.ticket(isBackground: isBackground, metrics: daemon.metrics)
        let cancellation = CancellationToken()
        let failure = Mutex<APIError?>(nil)
        let cancel: @Sendable (APIError) -> Void = { error in
            failure.withLock { $0 = $0 ?? error }
            cancellation.cancel()
            ticket.withdraw()
        }
        let presence = try await ClientPresence.of(context.channel)
        presence.onDeparture { cancel(.clientClosed) }
        let limit = daemon.settings.limits.seconds
        let deadline =
            limit > 0
            ? context.channel.eventLoop.scheduleTask(in: .milliseconds(Int64(limit * 1000))) {
                cancel(.timeLimit(limit))
            } : nil
        defer {
            deadline?.cancel()
            presence.onDeparture(nil)
            ticket.leave()
        }
        do {
            guard await ticket.enter() else { throw APIError.clientClosed }
            let vectors = try await daemon.threads.generate {
                try request.vectors(lease.loaded, cancellation: cancellation)
            }
            daemon.metrics.embeddings.add(vectors.count)
            daemon.metrics.promptTokens.add(request.tokenCount)
            record.note("prompt_tokens", "\(request.tokenCount)")
            return reply(request.answer(vectors, model: host.name))
        } catch {
            throw failure.withLock { $0 } ?? APIError(any: error)
        }
    }
}
