// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON
import TandemPack
import TandemTokenizer

/// The fixtures of the tokenizer tests, and third-party vocabularies beside the checkout.
enum TokenizerFixtures {
    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let fixtures = here.appendingPathComponent("../../TandemTokenizerTests/Fixtures")
    private static let shared = here.appendingPathComponent("../../../../shared/data/tokenizers")

    static var hasShared: Bool {
        FileManager.default.fileExists(atPath: shared.appendingPathComponent("goldens").path)
    }

    static func path(_ name: String) -> String { fixtures.appendingPathComponent(name).path }
    static func sharedPath(_ name: String) -> String { shared.appendingPathComponent(name).path }

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    static func json(_ path: String) throws -> JSONValue { try JSONValue(parsing: bytes(path)) }

    /// The lists of ids under `ids`.
    static func ids(_ json: JSONValue) -> [[TokenID]] {
        (json["ids"]?.arrayValue ?? []).map { ($0.arrayValue ?? []).map { TokenID($0.intValue ?? -1) } }
    }

    static func texts(_ json: JSONValue?) -> [String] {
        (json?.arrayValue ?? []).map { $0["text"]?.stringValue ?? $0.stringValue ?? "" }
    }

    static func tokenizer(_ path: String) throws -> Tokenizer {
        try Tokenizer(json: StandaloneTokenizer.document(path: path))
    }
}
