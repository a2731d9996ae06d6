// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON
import TandemTokenizer

/// A request to `/v1/embeddings`.
struct EmbeddingFields: Sendable {
    private enum Encoding: String, CaseIterable { case float, base64 }

    private let inputs: [[TokenID]]
    private let encoding: Encoding
    private let pooling: EmbeddingPooling

    init(_ fields: Fields, _ loaded: LoadedModel, limits: Settings.Limits) throws(APIError) {
        inputs = try PromptFields.tokens(fields, "input", model: loaded.model)
        for input in inputs {
            guard !input.isEmpty else {
                throw .invalid("'input' holds a text without tokens", param: "input")
            }
            let limit = min(loaded.contextSize, limits.promptTokens ?? Int.max)
            guard input.count <= limit else {
                throw .invalid(
                    "a text of 'input' has \(input.count) tokens, but the limit is \(limit); shorten it",
                    param: "input", code: "context_length_exceeded")
            }
        }
        encoding = try fields.choice("encoding_format", as: Encoding.self) ?? .float
        pooling = try fields.choice("pooling", as: EmbeddingPooling.self) ?? .mean
        let size = loaded.model.manifest.primary.hiddenSize
        if let dimensions = try fields.integer("dimensions", in: 1...Int.max), dimensions != size {
            throw .unsupported("dimensions", "'dimensions' must be \(size): vectors are not shortened")
        }
    }

    /// Tokens of all texts.
    var tokenCount: Int { inputs.reduce(0) { $0 + $1.count } }

    /// The texts' vectors, computed on this thread.
    func vectors(_ loaded: LoadedModel, cancellation: CancellationToken) throws(TandemError) -> [[Float]] {
        // An empty prompt asks for the session with the least to lose.
        let lease = try loaded.pool.lease(for: [])
        defer { lease.end() }
        var vectors: [[Float]] = []
        for input in inputs {
            vectors.append(
                try lease.session.embedding(tokens: input, pooling: pooling, cancellation: cancellation))
        }
        return vectors
    }

    /// The answer's object.
    func answer(_ vectors: [[Float]], model: String) -> JSONValue {
        let data = vectors.enumerated().map { index, vector -> JSONValue in
            ["object": "embedding", "index": .integer(Int64(index)), "embedding": json(vector)]
        }
        let count = JSONValue.integer(Int64(tokenCount))
        return [
            "object": "list", "data": .array(data), "model": .string(model),
            "usage": ["prompt_tokens": count, "total_tokens": count],
        ]
    }

    /// Numbers, or the bytes of little-endian 32-bit floats.
    private func json(_ vector: [Float]) -> JSONValue {
        switch encoding {
        case .float: return .array(vector.map { .number(Double($0)) })
        case .base64:
            var bytes: [UInt8] = []
            for value in vector {
                for shift in [0, 8, 16, 24] as [UInt32] {
                    bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
                }
            }
            return .string(base64(bytes))
        }
    }
}
