// SPDX-License-Identifier: Apache-2.0

import Hummingbird

/// What a request is for.
enum Route: Sendable, Equatable {
    case page
    case health
    case metrics
    case models
    case model(String)
    case completions
    case chatCompletions
    case embeddings
    case tokenize
    case detokenize

    /// - Parameter path: the path without its query; some clients leave `/v1` out.
    init?(path: String) {
        let path = path.hasPrefix("/v1/") ? String(path.dropFirst(3)) : path
        switch path {
        case "/", "/index.html": self = .page
        case "/health", "/healthz": self = .health
        case "/metrics": self = .metrics
        case "/models": self = .models
        case "/completions": self = .completions
        case "/chat/completions": self = .chatCompletions
        case "/embeddings": self = .embeddings
        case "/tokenize": self = .tokenize
        case "/detokenize": self = .detokenize
        default:
            guard path.hasPrefix("/models/"), path.utf8.count > 8 else { return nil }
            self = .model(String(path.dropFirst(8)))
        }
    }

    /// The name in metrics.
    var name: String {
        switch self {
        case .page: "page"
        case .health: "health"
        case .metrics: "metrics"
        case .models, .model: "models"
        case .completions: "completions"
        case .chatCompletions: "chat_completions"
        case .embeddings: "embeddings"
        case .tokenize: "tokenize"
        case .detokenize: "detokenize"
        }
    }

    var method: HTTPRequest.Method {
        switch self {
        case .page, .health, .metrics, .models, .model: .get
        case .completions, .chatCompletions, .embeddings, .tokenize, .detokenize: .post
        }
    }

    /// Whether anyone may ask.
    var isPublic: Bool { self == .page || self == .health }

    /// Whether the engine works for it; refused while the daemon shuts down.
    var needsEngine: Bool { method == .post }
}
