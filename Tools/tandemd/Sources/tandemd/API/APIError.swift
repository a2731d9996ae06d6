// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import TandemJSON

/// A refusal or failure, as OpenAI's interface tells it.
struct APIError: Error, Sendable, Equatable {
    /// What clients tell errors apart by.
    enum Kind: String, Sendable {
        case invalidRequest = "invalid_request_error"
        case authentication = "authentication_error"
        case permission = "permission_error"
        case notFound = "not_found_error"
        case rateLimit = "rate_limit_error"
        case server = "server_error"
        case timeout = "timeout_error"
    }

    let status: HTTPResponse.Status
    let kind: Kind
    let message: String
    /// The member of the request that is wrong.
    var param: String?
    var code: String?
    /// Seconds after which it is worth trying again.
    var retryAfter: Int?

    /// The body of the response.
    var json: JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(kind.rawValue),
                "param": param.map { .string($0) } ?? .null, "code": code.map { .string($0) } ?? .null,
            ]
        ]
    }
}

extension HTTPResponse.Status {
    /// What proxies log when the client has gone before the answer; never sent.
    static let clientClosedRequest = HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request")
}

extension APIError {
    static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(
            status: .badRequest, kind: .invalidRequest, message: message, param: param, code: code)
    }

    static func unsupported(_ param: String, _ message: String) -> APIError {
        invalid(message, param: param, code: "unsupported_parameter")
    }

    static func notFound(_ message: String, code: String? = nil, param: String? = nil) -> APIError {
        APIError(status: .notFound, kind: .notFound, message: message, param: param, code: code)
    }

    static func unavailable(_ message: String, code: String, retryAfter: Int?) -> APIError {
        APIError(
            status: .serviceUnavailable, kind: .server, message: message, code: code, retryAfter: retryAfter)
    }

    static func queueFull(waiting: Int) -> APIError {
        APIError(
            status: .tooManyRequests, kind: .rateLimit,
            message: "\(waiting) requests are waiting already, as many as may; try again later",
            code: "queue_full", retryAfter: 1)
    }

    static let draining = unavailable(
        "the daemon is shutting down; try again after its restart", code: "draining", retryAfter: 5)

    static let loading = unavailable(
        "the model is being loaded; try again in a moment", code: "loading", retryAfter: 1)

    static let clientClosed = APIError(
        status: .clientClosedRequest, kind: .invalidRequest, message: "the client closed the connection",
        code: "client_closed")

    static func timeLimit(_ seconds: Double) -> APIError {
        APIError(
            status: .gatewayTimeout, kind: .timeout,
            message: "the request took longer than the limit of \(seconds) seconds; ask for fewer tokens",
            code: "time_limit")
    }

    static func bodyTooLarge(limit: Int) -> APIError {
        APIError(
            status: .contentTooLarge, kind: .invalidRequest,
            message: "the request's body is longer than the limit of \(limit) bytes", code: "body_too_large")
    }

    static func internalError(_ message: String) -> APIError {
        APIError(status: .internalServerError, kind: .server, message: message)
    }
}
