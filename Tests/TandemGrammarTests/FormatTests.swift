// SPDX-License-Identifier: Apache-2.0

import TandemGrammar
import Testing

@Suite struct FormatTests {
    static let cases: [(format: String, matches: [String], others: [String])] = [
        (
            "date", ["2024-02-29", "2000-02-29", "0004-02-29", "1999-12-31", "0001-01-01", "2023-04-30"],
            ["2023-02-29", "1900-02-29", "2023-04-31", "2023-13-01", "2023-00-10", "0000-01-01", "23-01-01"]
        ),
        (
            "time", ["00:00:00Z", "23:59:59.123+05:30", "12:00:00-00:00"],
            ["24:00:00Z", "12:60:00Z", "12:00:00", "12:00Z", "12:00:61Z"]
        ),
        ("date-time", ["2024-02-29T12:30:00Z"], ["2024-02-30T12:30:00Z", "2024-02-29 12:30:00Z"]),
        (
            "duration", ["P1Y2M3DT4H5M6S", "PT5M", "P4W", "P1D", "P2YT1H"],
            ["P", "P1YT", "PT", "P1S", "1D", "P1Y2D"]
        ),
        ("email", ["a.b+c@example.org", "x@a.b.c"], ["a@b", "@b.c", "a..b@c.d", "a@-b.c", "a b@c.d"]),
        ("hostname", ["localhost", "a-b.example.org"], ["-a", "a-", "a..b", ""]),
        ("ipv4", ["0.0.0.0", "255.249.199.9"], ["256.0.0.0", "1.2.3", "01.2.3.4"]),
        (
            "ipv6", ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "fe80::a:B", "1:2:3:4:5:6::8", "1::3:4:5:6:7:8"],
            ["1:2:3:4:5:6:7", "1::2::3", ":::", "12345::", "1:2:3:4:5:6:7:8::"]
        ),
        (
            "uri", ["https://example.org/a?b=c#d", "mailto:a@b.c", "urn:x:y", "http://h:8080"],
            ["example.org", "http://a b", "1http://a", "http:"]
        ),
        (
            "uuid", ["123e4567-e89b-12d3-a456-426614174000"],
            ["123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g"]
        ),
    ]

    @Test(arguments: 0..<10)
    func formats(_ index: Int) throws {
        let (format, matches, others) = Self.cases[index]
        let grammar = try Grammar(schema: "{\"type\": \"string\", \"format\": \"\(format)\"}")
        for text in matches { #expect(try grammar.accepts("\"\(text)\""), "\(text)") }
        for text in others { #expect(try !grammar.accepts("\"\(text)\""), "\(text)") }
    }

    @Test func formatsOfNumbersSayNothing() throws {
        #expect(try Grammar(schema: #"{"type": "integer", "format": "int32"}"#).accepts("99999999999"))
        #expect(
            try Grammar(schema: #"{"type": "string", "format": "ipv4", "maxLength": 15}"#).accepts(
                "\"1.2.3.4\""))
    }
}
