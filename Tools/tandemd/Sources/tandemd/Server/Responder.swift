// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import TandemJSON

/// Answers the requests of one listener.
struct Responder: HTTPResponder {
    typealias Context = DaemonContext

    let daemon: Daemon
    /// The host that TCP connections are taken on; nil for a Unix socket, whose file mode says who may connect.
    let tcpHost: String?

    func respond(to request: Request, context: DaemonContext) async throws -> Response {
        let path = request.uri.path
        let route = Route(path: path)
        let record = RequestRecord(
            id: AnswerHead.makeID("req-"), method: request.method.rawValue, path: path, route: route,
            daemon: daemon)
        var response: Response
        do {
            response = try await answer(request, route, context, record)
        } catch let error as HTTPParserFailure {
            // The connection cannot be used any more.
            record.finish(.badRequest)
            throw error.underlying
        } catch {
            let error = APIError(any: error)
            response = refusal(error, record)
            if error.status == .contentTooLarge { closeSoon(context, &response) }
        }
        addCommonHeaders(to: &response, request, record)
        return request.method == .head
            ? Response(status: response.status, headers: response.headers) : response
    }

    private func answer(
        _ request: Request, _ route: Route?, _ context: DaemonContext, _ record: RequestRecord
    ) async throws -> Response {
        try checkHost(request)
        guard let route else { throw APIError.notFound("there is nothing at \(request.uri.path)") }
        if request.method == .options { return preflight(route, record) }
        let isHead = request.method == .head && route.method == .get
        guard request.method == route.method || isHead else {
            throw APIError(
                status: .methodNotAllowed, kind: .invalidRequest,
                message: "\(request.uri.path) takes \(route.method.rawValue), not \(request.method.rawValue)")
        }
        if route.needsEngine { try checkOrigin(request) }
        if !route.isPublic { try authorize(request) }
        let call = Call(daemon: daemon, request: request, context: context, record: record)
        switch route {
        case .page: return page(record)
        case .health: return call.health()
        case .metrics: return await call.metricsText()
        case .models: return call.models()
        case .model(let name): return try call.model(name)
        case .completions: return try await call.completions()
        case .chatCompletions: return try await call.chatCompletions()
        case .embeddings: return try await call.embeddings()
        case .tokenize: return try await call.tokenize()
        case .detokenize: return try await call.detokenize()
        }
    }

    /// Only names of this machine, where only this machine can connect.
    private func checkHost(_ request: Request) throws(APIError) {
        guard let tcpHost, LoopbackHost.isLoopback(tcpHost), let authority = request.head.authority,
            !LoopbackHost.allows(authority: authority, listeningOn: tcpHost)
        else { return }
        throw APIError(
            status: .forbidden, kind: .permission,
            message: "the header Host is '\(authority)', but this listener is for this machine only")
    }

    /// Only pages of the daemon itself, and of the origin that the settings name: others could make a browser send
    /// requests, though not read the answers.
    private func checkOrigin(_ request: Request) throws(APIError) {
        guard let origin = request.headers[.origin] else { return }
        let own = request.head.authority.map { ["http://\($0)", "https://\($0)"] } ?? []
        let allowed = daemon.settings.corsOrigin
        guard allowed == "*" || allowed == origin || own.contains(origin) else {
            throw APIError(
                status: .forbidden, kind: .permission,
                message: "pages from '\(origin)' may not use this daemon; see the setting cors-origin")
        }
    }

    private func authorize(_ request: Request) throws(APIError) {
        guard tcpHost != nil, daemon.keys.count > 0 else { return }
        guard daemon.keys.accepts(authorization: request.headers[.authorization]) else {
            throw APIError(
                status: .unauthorized, kind: .authentication,
                message: request.headers[.authorization] == nil
                    ? "an API key is needed; send it in the header 'Authorization: Bearer KEY'"
                    : "the API key is wrong",
                code: "invalid_api_key")
        }
    }

    private func refusal(_ error: APIError, _ record: RequestRecord) -> Response {
        record.note("error", error.message)
        record.finish(error.status)
        var response = jsonResponse(error.json, status: error.status)
        if let seconds = error.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
        if error.status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        if error.status == .methodNotAllowed, let route = Route(path: record.path) {
            response.headers[.allow] = "\(route.method.rawValue), OPTIONS"
        }
        return response
    }

    /// Gives the client a moment to read the answer while its body is dropped.
    private func closeSoon(_ context: DaemonContext, _ response: inout Response) {
        response.headers[.connection] = "close"
        let channel = context.channel
        channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
    }

    private func preflight(_ route: Route, _ record: RequestRecord) -> Response {
        record.finish(.noContent)
        var headers = HTTPFields()
        headers[.allow] = "\(route.method.rawValue), OPTIONS"
        if daemon.settings.corsOrigin != nil {
            headers[.accessControlAllowMethods] = "\(route.method.rawValue), OPTIONS"
            headers[.accessControlAllowHeaders] = "Authorization, Content-Type, X-Tandem-Priority"
            headers[.accessControlMaxAge] = "86400"
        }
        return Response(status: .noContent, headers: headers)
    }

    private func addCommonHeaders(to response: inout Response, _ request: Request, _ record: RequestRecord) {
        if let name = HTTPField.Name("X-Request-Id") { response.headers[name] = record.id }
        response.headers[.xContentTypeOptions] = "nosniff"
        guard let origin = daemon.settings.corsOrigin else { return }
        response.headers[.vary] = "Origin"
        if origin == "*" || request.headers[.origin] == origin {
            response.headers[.accessControlAllowOrigin] = origin
            response.headers[.accessControlExposeHeaders] = "X-Request-Id, Retry-After"
        }
    }

    private func page(_ record: RequestRecord) -> Response {
        record.finish(.ok)
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-cache",
                .contentSecurityPolicy: ChatPage.securityPolicy,
            ], body: ResponseBody(byteBuffer: ByteBuffer(string: ChatPage.html)))
    }
}

/// A failure to read the request as HTTP, on its way to the server, which answers it and closes the connection.
struct HTTPParserFailure: Error {
    let underlying: any Error
}

/// A response with a JSON body.
func jsonResponse(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
    var buffer = ByteBuffer()
    buffer.writeJSON(value)
    return Response(
        status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: buffer))
}
