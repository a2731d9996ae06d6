// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

@Suite struct PassTimesTests {
    @Test("Before a pass was timed, one over one row is the unit, and rows cost what is usual of the kernels")
    func expected() {
        let usual: [(name: String, bytes: Int, bounds: ClosedRange<Double>)] = [
            ("scalar", 1 << 30, 0.75...1), ("avx2", 1 << 20, 0.4...0.7), ("avx2", 1 << 30, 0.05...0.25),
            ("avx512vnni", 1 << 20, 0.15...0.3), ("avx512vnni", 1 << 30, 0...0.08),
        ]
        for (name, bytes, bounds) in usual {
            let times = PassTimes(.usual(instructionSet: name, bytes: bytes))
            #expect(!times.isKnown)
            #expect(abs(times.seconds(rows: 1) - 1) < 1e-12)
            #expect(bounds.contains(times.marginal), "\(name), \(bytes): \(times.marginal)")
        }
    }

    @Test("More rows never take less time, also of more than are usual")
    func monotone() {
        var generator = SeededGenerator(seed: 11)
        for name in ["scalar", "avx2", "avx512vnni"] {
            var times = PassTimes(.usual(instructionSet: name, bytes: 1 << 30))
            for _ in 0..<50 {
                times.record(rows: 1 + Int(generator.uniform() * 300), seconds: 1e-3 + generator.uniform())
                let found = (1...400).map { times.seconds(rows: $0) }
                #expect(zip(found, found.dropFirst()).allSatisfy { $0 <= $1 * (1 + 1e-12) })
                #expect(found[0] > 0)
            }
        }
    }

    @Test("The rows that fit a time are the most that do")
    func rowsWithin() {
        var times = PassTimes(.usual(instructionSet: "avx512vnni", bytes: 1 << 30))
        for pass in 0..<40 {
            let rows = 1 + pass % 20
            times.record(rows: rows, seconds: 0.01 + 0.001 * Double(rows - 1))
        }
        for seconds in [0.001, 0.01, 0.015, 0.02, 0.05, 0.4] {
            let rows = times.rows(within: seconds, limit: 200)
            #expect(rows == 1 || times.seconds(rows: rows) <= seconds)
            #expect(rows == 200 || times.seconds(rows: rows + 1) > seconds)
        }
        #expect(times.rows(within: 1e9, limit: 200) == 200 && times.rows(within: 0, limit: 200) == 1)
        #expect(abs(Double(times.rows(within: 0.02, limit: 200)) - 11) <= 2)
    }

    @Test("What takes no time, or has no rows, teaches nothing")
    func nothing() {
        var times = PassTimes(.usual(instructionSet: "", bytes: 0))
        times.record(rows: 3, seconds: 0)
        times.record(rows: 3, seconds: -1)
        times.record(rows: 0, seconds: 1)
        #expect(!times.isKnown)
        #expect(times.seconds(rows: 0) == times.seconds(rows: 1))
    }
}
