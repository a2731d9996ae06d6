// SPDX-License-Identifier: Apache-2.0

internal import TandemJSON

/// A byte-level tokenizer without merges: id 0 is `<|endoftext|>` (special), id 1 + b is the byte b.
package enum ByteTokenizer {
    package static let vocabularySize = 257

    /// Ids of the bytes of a text.
    package static func encode(_ text: String) -> [Int32] { text.utf8.map { Int32($0) + 1 } }

    /// The text of ids; id 0 and ids outside the vocabulary add nothing.
    package static func decode(_ ids: [Int32]) -> String {
        String(decoding: ids.filter { $0 > 0 && $0 < 257 }.map { UInt8($0 - 1) }, as: UTF8.self)
    }

    /// A `tokenizer.json` that says so.
    package static let json: [UInt8] = {
        var vocabulary = JSONObject()
        vocabulary["<|endoftext|>"] = 0
        for byte in 0..<256 { vocabulary[String(symbol(byte))] = .integer(Int64(byte + 1)) }
        let special: JSONValue = [
            "id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        ]
        let document: JSONValue = [
            "version": "1.0",
            "added_tokens": [special],
            "pre_tokenizer": [
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
            ],
            "decoder": [
                "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
            ],
            "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": []],
        ]
        return Array(document.serialized().utf8)
    }()

    /// The printable character that stands for a byte in byte-level vocabularies.
    private static func symbol(_ byte: Int) -> Unicode.Scalar {
        let printable = [33...126, 161...172, 174...255]
        if printable.contains(where: { $0.contains(byte) }) { return Unicode.Scalar(UInt8(byte)) }
        let hidden = (0..<byte).filter { other in !printable.contains { $0.contains(other) } }.count
        return Unicode.Scalar(UInt32(256 + hidden)) ?? "?"
    }
}
