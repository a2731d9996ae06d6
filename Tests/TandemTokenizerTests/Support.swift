// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON
import TandemTokenizer

/// What the reference implementation makes of texts with one fixture tokenizer.
struct Expected {
    let texts: [String]
    let ids: [[TokenID]]
    let withSpecialTokens: [[TokenID]]
    let specialTokensAsText: [[TokenID]]
    let decoded: [String]
    let decodedWithSpecialTokens: [String]

    init(_ json: JSONValue) throws {
        texts = try Self.strings(json, "texts")
        ids = try Self.lists(json, "ids")
        withSpecialTokens = try Self.lists(json, "with_special_tokens")
        specialTokensAsText = try Self.lists(json, "special_tokens_as_text")
        decoded = try Self.strings(json, "decoded")
        decodedWithSpecialTokens = try Self.strings(json, "decoded_with_special_tokens")
    }

    static func strings(_ json: JSONValue, _ key: String) throws -> [String] {
        try (json[key]?.arrayValue).orThrow(key).map { try $0.stringValue.orThrow(key) }
    }

    static func lists(_ json: JSONValue, _ key: String) throws -> [[TokenID]] {
        try (json[key]?.arrayValue).orThrow(key).map { list in
            try list.arrayValue.orThrow(key).map { TokenID(try $0.intValue.orThrow(key)) }
        }
    }
}

struct MissingValue: Error {
    let name: String
}

extension Optional {
    func orThrow(_ name: String) throws -> Wrapped {
        guard let self else { throw MissingValue(name: name) }
        return self
    }
}

enum Fixtures {
    static let names = [
        "gpt2", "roberta", "llama3", "qwen2", "cl100k", "o200k", "starcoder", "punctuated", "llama2", "gemma",
        "metaspace_unknown", "unigram", "unigram_bytes",
    ]

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    static func bytes(_ file: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appendingPathComponent(file)))
    }

    static func json(_ file: String) throws -> JSONValue {
        try JSONValue(parsing: bytes(file))
    }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        try Tokenizer(json: bytes(name + ".json"))
    }

    static func expected(_ name: String) throws -> Expected {
        try Expected(json(name + ".expected.json"))
    }
}

/// The third-party collection beside the checkout; absent in a plain clone.
enum SharedData {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/data")

    static var isPresent: Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent("tokenizers/goldens").path)
    }

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appendingPathComponent(path)))
    }
}

/// A small generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Up to `count` scalars, from ASCII to the supplementary planes, with many spaces and marks.
    mutating func text(count: Int) -> String {
        let frequent: [Unicode.Scalar] = [" ", "\n", "'", "s", "\u{301}", "\u{200D}", "▁", "0", "😀", "<"]
        var text = ""
        for _ in 0..<Int.random(in: 0...count, using: &self) {
            if Int.random(in: 0..<3, using: &self) == 0 {
                text.unicodeScalars.append(frequent.randomElement(using: &self) ?? " ")
            } else {
                let limit: UInt32 =
                    [0x80, 0x250, 0x3100, 0x10000, 0x110000].randomElement(using: &self) ?? 0x80
                text.unicodeScalars.append(Unicode.Scalar(.random(in: 0..<limit, using: &self)) ?? "\u{FFFD}")
            }
        }
        return text
    }
}

func sameBytes(_ first: String, _ second: String) -> Bool {
    first.utf8.elementsEqual(second.utf8)
}
