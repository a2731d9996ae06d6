// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import TandemJSON

/// One request on its way to an answer; every endpoint is an extension.
struct Call: Sendable {
    let daemon: Daemon
    let request: Request
    let context: DaemonContext
    let record: RequestRecord

    /// Reads the request's body and parses it.
    /// - Throws: ``APIError`` 400, 413, 415.
    func fields() async throws -> Fields {
        if let type = request.headers[.contentType] {
            let name = type.prefix { $0 != ";" }.lowercased()
            guard trimmed(Substring(name)) == "application/json" else {
                throw APIError(
                    status: .unsupportedMediaType, kind: .invalidRequest,
                    message: "the body must be JSON, with the header 'Content-Type: application/json'")
            }
        }
        let limit = daemon.settings.limits.bodyBytes
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw APIError.bodyTooLarge(limit: limit)
        }
        // Bodies that trickle in are not waited for any longer than idle connections.
        let channel = context.channel
        let deadline = channel.eventLoop.scheduleTask(
            in: .milliseconds(Int64(daemon.settings.limits.keepAlive * 1000))
        ) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw APIError.bodyTooLarge(limit: limit)
        } catch let error as HTTPParserError {
            throw HTTPParserFailure(underlying: error)
        }
        return try await daemon.threads.prepare { try Fields(body: Array(buffer.readableBytesView)) }
    }

    /// A JSON answer.
    func reply(_ value: JSONValue) -> Response {
        record.finish(.ok)
        return jsonResponse(value)
    }

    /// The header that says how urgent a request is.
    var priorityHeader: String? {
        HTTPField.Name("X-Tandem-Priority").flatMap { request.headers[$0] }
    }
}
