// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import Testing

@Suite struct SerializingTests {
    @Test func sortsKeysByTheirBytes() {
        let value: JSONValue = ["b": 1, "a": [true, nil, 1.5], "é": "x", "B": [:], "aa": []]
        #expect(value.serialized() == "{\"B\":{},\"a\":[true,null,1.5],\"aa\":[],\"b\":1,\"é\":\"x\"}")
        #expect(
            value.serialized(sortedKeys: false)
                == "{\"b\":1,\"a\":[true,null,1.5],\"é\":\"x\",\"B\":{},\"aa\":[]}")
    }

    @Test func indents() {
        let value: JSONValue = ["b": [1, 2], "a": [:], "c": []]
        #expect(
            value.serialized(pretty: true)
                == "{\n  \"a\": {},\n  \"b\": [\n    1,\n    2\n  ],\n  \"c\": []\n}")
    }

    @Test func escapesWhatMustBeEscaped() {
        let value = JSONValue.string("\"\\/\u{8}\u{C}\n\r\t\u{0}\u{1F}\u{7F}é\u{2028}😀")
        #expect(
            value.serialized()
                == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7F}é\u{2028}😀\"")
    }

    @Test(
        arguments: [
            0.1, 1.0 / 3, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 1e21, 1e22, 123456789.125,
            100, 1e-7, 2.5e-5,
        ] as [Double])
    func doublesReadBackAsThemselves(number: Double) throws {
        let text = JSONValue.number(number).serialized()
        guard case .number(let result) = try JSONValue(parsing: Array(text.utf8)) else {
            Issue.record("\(text) reads back as another kind of value")
            return
        }
        #expect(result.bitPattern == number.bitPattern)
    }

    @Test func whatIsNoNumberBecomesNull() {
        #expect(JSONValue.array([.number(.nan), .number(.infinity)]).serialized() == "[null,null]")
    }

    @Test func randomValuesReadBackAsThemselves() throws {
        var random = SplitMix(seed: 7)
        for _ in 0..<300 {
            let value = Self.randomValue(&random, depth: 0)
            for pretty in [false, true] {
                let bytes = value.serializedBytes(pretty: pretty)
                #expect(try JSONValue(parsing: bytes) == value)
                #expect(try JSONValue(parsing: bytes).serializedBytes(pretty: pretty) == bytes)
            }
        }
    }

    private static func randomValue(_ random: inout SplitMix, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth < 5 ? 8 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .integer(.random(in: .min ... .max, using: &random))
        case 3:
            let number = Double(bitPattern: random.next())
            return .number(number.isFinite ? number : 0.5)
        case 4, 5: return .string(randomText(&random))
        case 6:
            let count = Int.random(in: 0..<6, using: &random)
            return .array((0..<count).map { _ in randomValue(&random, depth: depth + 1) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<20, using: &random) {
                object[randomText(&random)] = randomValue(&random, depth: depth + 1)
            }
            return .object(object)
        }
    }

    private static func randomText(_ random: inout SplitMix) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<12, using: &random) {
            let limit: UInt32 = [0x20, 0x80, 0x800, 0x10000, 0x110000].randomElement(using: &random) ?? 0x80
            text.unicodeScalars.append(Unicode.Scalar(.random(in: 0..<limit, using: &random)) ?? "\u{FFFD}")
        }
        return text
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
}
