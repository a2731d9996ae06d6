// SPDX-License-Identifier: Apache-2.0

import TandemTokenizer
import Testing

/// The bytes of tokens one by one are the bytes of the text.
@Suite struct TextBytesTests {
    @Test(arguments: ["gpt2", "llama2", "gemma", "unigram", "metaspace_unknown", "qwen2"])
    func joined(_ name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        var state: UInt64 = 5
        for _ in 0..<300 {
            var bytes: [UInt8] = []
            var ids: [TokenID] = []
            for _ in 0..<6 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let id = TokenID((state >> 33) % UInt64(tokenizer.vocabularySize))
                let added = tokenizer.textBytes(of: id, isFirst: ids.isEmpty)
                // A token without text stays out of texts under a grammar.
                if added.isEmpty { continue }
                bytes += added
                ids.append(id)
            }
            #expect(tokenizer.decode(ids) == String(decoding: bytes, as: UTF8.self))
        }
    }
}
