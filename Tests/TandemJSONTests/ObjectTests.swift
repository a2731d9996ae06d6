// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import Testing

@Suite struct ObjectTests {
    @Test func keepsTheOrderOfTheFile() throws {
        let value = try JSONValue(parsing: Array("{\"z\":1,\"a\":2,\"m\":3}".utf8))
        let object = try #require(value.objectValue)
        #expect(object.keys == ["z", "a", "m"])
        #expect(object.members.map(\.value) == [1, 2, 3])
        #expect(object == ["a": 2, "m": 3, "z": 1])
        #expect(object != ["a": 2, "m": 3])
        #expect(object != ["a": 2, "m": 3, "z": 4])
    }

    @Test(arguments: [1, 5, 12, 13, 14, 300])
    func setsFindsAndRemoves(count: Int) {
        var object = JSONObject()
        for index in 0..<count { object["key\(index)"] = .integer(Int64(index)) }
        #expect(object.count == count)
        for index in 0..<count { #expect(object["key\(index)"] == .integer(Int64(index))) }
        #expect(object["key\(count)"] == nil)

        object["key0"] = "changed"
        #expect(object["key0"] == "changed")
        #expect(object.count == count)
        for index in stride(from: 0, to: count, by: 2) { object["key\(index)"] = nil }
        #expect(object.count == count / 2)
        for index in 0..<count {
            #expect(object["key\(index)"] == (index % 2 == 0 ? nil : .integer(Int64(index))))
        }
    }

    @Test func copiesAreIndependent() {
        var first = JSONObject()
        for index in 0..<40 { first["\(index)"] = 1 }
        var second = first
        second["5"] = nil
        second["new"] = 2
        #expect(first["5"] == 1)
        #expect(first["new"] == nil)
        #expect(second["5"] == nil)
        #expect(second["new"] == 2)
    }

    @Test func findsAmongManyKeysInConstantTime() throws {
        let count = 250_000
        var text = "{"
        for index in 0..<count { text += (index == 0 ? "" : ",") + "\"token\(index)\":\(index)" }
        let value = try JSONValue(parsing: Array((text + "}").utf8))
        let object = try #require(value.objectValue)
        // A linear search would take some 3 · 10¹⁰ comparisons here and not end.
        var found = 0
        for index in 0..<count where object["token\(index)"]?.intValue == index { found += 1 }
        #expect(found == count)
        #expect(object["token\(count)"] == nil)
    }

    @Test func refusesADuplicateAmongManyKeys() {
        var text = "{"
        for index in 0..<1000 { text += "\"k\(index)\":0," }
        let offset = text.utf8.count
        #expect(throws: JSONError.duplicateKey("k7", offset: offset)) {
            try JSONValue(parsing: Array((text + "\"k7\":0}").utf8))
        }
    }

    @Test func accessorsConvertOnlyWhatFits() {
        #expect(JSONValue.number(7).intValue == 7)
        #expect(JSONValue.number(7.5).intValue == nil)
        #expect(JSONValue.number(1e30).intValue == nil)
        #expect(JSONValue.integer(7).doubleValue == 7)
        #expect(JSONValue.string("7").intValue == nil)
        #expect(JSONValue.null.isNull)
        #expect(JSONValue.array([1])["key"] == nil)
        #expect(JSONValue.bool(true).boolValue == true)
        #expect(JSONValue.integer(1).boolValue == nil)
        #expect(JSONValue.integer(1) != .number(1))
    }
}
