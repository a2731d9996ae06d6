// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import TandemJSON
import Testing

@Suite struct NumberTests {
    /// Every integer near random bounds.
    @Test(arguments: 0..<60)
    func integers(_ seed: Int) throws {
        var random = TestRandom(UInt64(seed))
        let span = [10, 100, 12_345][seed % 3]
        let least = random.below(2 * span) - span
        let most = least + random.below(span)
        let low: JSONValue = seed % 2 == 0 ? .integer(Int64(least)) : .number(Double(least) - 0.5)
        let grammar = try Grammar(jsonSchema: [
            "type": "integer", "minimum": low, "exclusiveMaximum": .integer(Int64(most + 1)),
        ])
        for value in (least - 120)...(least + 120) {
            #expect(try grammar.accepts("\(value)") == (least...most).contains(value))
        }
        for value in (most - 120)...(most + 120) {
            #expect(try grammar.accepts("\(value)") == (least...most).contains(value))
        }
        for text in ["-0", "00", "01", "1.0", "", "-"] { #expect(try !grammar.accepts(text)) }
    }

    @Test func extremeIntegers() throws {
        let low = try Grammar(schema: #"{"type": "integer", "minimum": 9223372036854775806}"#)
        #expect(try low.accepts("9223372036854775807") && !low.accepts("9223372036854775808"))
        let high = try Grammar(schema: #"{"type": "integer", "maximum": -9223372036854775807}"#)
        #expect(try high.accepts("-9223372036854775808") && !high.accepts("-9223372036854775806"))
        let open = try Grammar(schema: #"{"type": "integer", "minimum": -1}"#)
        #expect(try open.accepts("-1") && open.accepts("999999999999999999") && !open.accepts("-2"))
        #expect(try !open.accepts("1000000000000000000"))
    }

    /// Random decimals of few digits against bounds of few digits, compared exactly.
    @Test(arguments: 0..<80)
    func numbers(_ seed: Int) throws {
        var random = TestRandom(UInt64(seed) + 99)
        func bound() -> Int { random.below(4001) - 2000 }
        func text(_ thousandths: Int) -> String {
            var digits = String(thousandths.magnitude)
            while digits.count < 4 { digits = "0" + digits }
            return (thousandths < 0 ? "-" : "") + digits.dropLast(3) + "." + digits.suffix(3)
        }
        let least = bound() * (random.chance(50) ? 1 : 100)
        let most = least + random.below(3) * random.below(1500)
        let (opensLow, opensHigh) = (random.chance(50), random.chance(50))
        let (hasLow, hasHigh) = (seed % 3 != 1, seed % 3 != 2)
        var members: [String] = ["\"type\": \"number\""]
        if hasLow { members.append("\"\(opensLow ? "exclusiveMinimum" : "minimum")\": \(text(least))") }
        if hasHigh { members.append("\"\(opensHigh ? "exclusiveMaximum" : "maximum")\": \(text(most))") }
        let schema = "{\(members.joined(separator: ", "))}"
        let isEmpty = hasLow && hasHigh && least == most && (opensLow || opensHigh)
        if isEmpty {
            #expect(throws: GrammarError.unsatisfiableSchema(pointer: "#")) { try Grammar(schema: schema) }
            return
        }
        let grammar = try Grammar(schema: schema)
        for _ in 0..<300 {
            let near = random.chance(50) ? least : most
            let value = near + random.below(41) - 20
            let isIn =
                (!hasLow || (opensLow ? value > least : value >= least))
                && (!hasHigh || (opensHigh ? value < most : value <= most))
            var shown = text(value)
            while shown.hasSuffix("0") && random.chance(80) { shown.removeLast() }
            if shown.hasSuffix(".") { shown.removeLast() }
            if value == 0 { shown = shown.replacing("-", with: "") }
            #expect(try grammar.accepts(shown) == isIn, "\(schema) \(shown)")
        }
    }
}
