// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON
import TandemTokenizer

extension AnswerHead {
    /// The tokens of a delta as conversations tell them; end tokens are left out.
    func logprobs(of tokens: [GeneratedToken]) -> [JSONValue] {
        tokens.compactMap { token in
            guard let logprob = token.logprob, !endTokens.contains(token.id) else { return nil }
            var members = entry(token.id, token.bytes, logprob)
            members["top_logprobs"] = .array(token.top.map { .object(entry($0.id, $0.bytes, $0.logprob)) })
            return .object(members)
        }
    }

    private func entry(_ id: TokenID, _ bytes: [UInt8], _ logprob: Float) -> JSONObject {
        [
            "token": .string(text(of: id, bytes)), "logprob": .number(Double(logprob)),
            "bytes": .array(bytes.map { .integer(Int64($0)) }),
        ]
    }

    /// A token's text; special tokens have none of their own and are spelt as the vocabulary has them.
    func text(of id: TokenID, _ bytes: [UInt8]) -> String {
        bytes.isEmpty ? tokenizer.token(id) ?? "" : String(decoding: bytes, as: UTF8.self)
    }
}
