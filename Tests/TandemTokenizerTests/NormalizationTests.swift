// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON
import TandemTokenizer
import Testing

/// Forms C and D, through a tokenizer that has all bytes.
@Suite struct NormalizationTests {
    private static func tokenizer(_ form: String) throws -> Tokenizer {
        var json = try Fixtures.json("gpt2.json")
        var root = try json.objectValue.orThrow("object")
        root["normalizer"] = ["type": .string(form)]
        json = .object(root)
        return try Tokenizer(json: json.serializedBytes())
    }

    private static func normalized(_ text: String, _ tokenizer: Tokenizer) -> String {
        tokenizer.decode(tokenizer.encode(text, addSpecialTokens: false, parseSpecial: false))
    }

    /// Against Foundation.
    @Test func everyScalarOfTheBasicPlane() throws {
        let composed = try Self.tokenizer("NFC")
        let decomposed = try Self.tokenizer("NFD")
        var different: [String] = []
        for value in UInt32(0xA0)..<0x1_0000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            // Beyond Unicode 14, on which the tables rest, the platform may know more.
            guard let age = scalar.properties.age, age.major <= 14 else { continue }
            let text = String(Character(scalar))
            if !sameBytes(Self.normalized(text, composed), text.precomposedStringWithCanonicalMapping)
                || !sameBytes(Self.normalized(text, decomposed), text.decomposedStringWithCanonicalMapping)
            {
                different.append("U+\(String(value, radix: 16))")
            }
        }
        #expect(different == [])
    }

    /// Against Python's `unicodedata`: Foundation composes some jamo that are no part of syllables.
    @Test func randomSequences() throws {
        let composed = try Self.tokenizer("NFC")
        let decomposed = try Self.tokenizer("NFD")
        let cases = try Fixtures.json("normalization.json").arrayValue.orThrow("cases")
        #expect(cases.count == 500)
        for entry in cases {
            let forms = try entry.arrayValue.orThrow("forms").map { try $0.stringValue.orThrow("form") }
            #expect(
                sameBytes(Self.normalized(forms[0], composed), forms[1]),
                "\(forms[0].unicodeScalars.map { String($0.value, radix: 16) })")
            #expect(
                sameBytes(Self.normalized(forms[0], decomposed), forms[2]),
                "\(forms[0].unicodeScalars.map { String($0.value, radix: 16) })")
        }
    }
}
