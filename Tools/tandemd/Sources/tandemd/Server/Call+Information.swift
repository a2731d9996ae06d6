// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import NIOCore
import Tandem
import TandemJSON

extension Call {
    /// `GET /health`
    func health() -> Response {
        let status = daemon.isDraining ? "draining" : daemon.isStarting ? "loading" : "ok"
        let models = daemon.hosts.map { host -> JSONValue in
            [
                "id": .string(host.name), "loaded": .bool(host.loaded != nil),
                "loading": .bool(host.isLoading),
                "running": .integer(Int64(host.gate.running)), "queued": .integer(Int64(host.gate.waiting)),
            ]
        }
        let code: HTTPResponse.Status = status == "ok" ? .ok : .serviceUnavailable
        record.finish(code)
        var response = jsonResponse(["status": .string(status), "models": .array(models)], status: code)
        response.headers[.cacheControl] = "no-store"
        if code != .ok { response.headers[.retryAfter] = "5" }
        return response
    }

    /// `GET /v1/models`
    func models() -> Response {
        reply(["object": "list", "data": .array(daemon.hosts.map(description))])
    }

    /// `GET /v1/models/NAME`
    func model(_ name: String) throws(APIError) -> Response {
        reply(description(try daemon.host(named: percentDecoded(name))))
    }

    private func description(_ host: ModelHost) -> JSONValue {
        var members: JSONObject = [
            "id": .string(host.name), "object": "model", "created": .integer(Int64(host.created)),
            "owned_by": "tandem",
        ]
        if let loaded = host.loaded {
            let manifest = loaded.model.manifest
            members["tandem"] = [
                "kind": .string(manifest.kind.rawValue), "context_size": .integer(Int64(loaded.contextSize)),
                "vocabulary_size": .integer(Int64(manifest.primary.vocabularySize)),
                "embedding_size": .integer(Int64(manifest.primary.hiddenSize)),
                "chat": .bool(loaded.templates != nil), "tools": .string(loaded.toolFormat.rawValue),
                "residency": .string(loaded.model.memoryPlan.residency.rawValue),
            ]
        }
        return .object(members)
    }

    /// `GET /metrics`
    func metricsText() async -> Response {
        let text = (try? await daemon.threads.prepare { daemon.metricsText() }) ?? ""
        record.finish(.ok)
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

/// A text with its `%XX` replaced by the bytes they stand for.
func percentDecoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%"), rest.count >= 2,
            let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
        {
            bytes.append(value)
            rest = rest.dropFirst(2)
        } else {
            bytes.append(byte)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
