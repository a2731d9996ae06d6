// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Tandem

extension GeneratedToken {
    /// Calls `body` with the token as C sees it, whose pointers are valid until `body` returns.
    func withCToken<Result>(_ body: (UnsafePointer<tandem_token>) -> Result) -> Result {
        var texts: [UInt8] = []
        var starts: [Int] = []
        for bytes in [bytes] + top.map(\.bytes) {
            starts.append(texts.count)
            texts += bytes + [0]
        }
        return unsafe texts.withUnsafeBytes { texts in
            let characters = unsafe texts.bindMemory(to: CChar.self)
            let alternatives = unsafe zip(top, starts.dropFirst()).map { token, start in
                unsafe tandem_token_logprob(
                    id: token.id, logprob: token.logprob, bytes: characters.baseAddress?.advanced(by: start),
                    length: token.bytes.count)
            }
            return unsafe alternatives.withUnsafeBufferPointer { alternatives in
                var token = unsafe tandem_token(
                    size: MemoryLayout<tandem_token>.size, id: id, logprob: logprob ?? 0,
                    bytes: characters.baseAddress, length: bytes.count,
                    top: top.isEmpty ? nil : alternatives.baseAddress, top_count: top.count)
                return unsafe body(&token)
            }
        }
    }
}
