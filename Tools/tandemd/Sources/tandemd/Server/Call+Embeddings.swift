// SPDX-License-Identifier: Apache-2.0

import Hummingbird

extension Call {
    /// `POST /v1/embeddings`
    func embeddings() async throws -> Response { throw APIError.internalError("not yet") }
}
