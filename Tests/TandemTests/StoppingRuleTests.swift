// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

@Suite struct StoppingRuleTests {
    private typealias Chances = [(chance: Double, share: Double)]

    /// The value by its definition, every course of chances gone through.
    private func value(
        _ survival: Double, _ drafts: Int, _ chances: Chances, step: Double, rows: [Double]
    ) -> Double {
        guard drafts < rows.count else { return 0 }
        var expected = -step
        for (chance, share) in chances {
            let next = survival * chance
            let later = value(next, drafts + 1, chances, step: step, rows: rows)
            expected += share * max(0, next - rows[drafts] + later)
        }
        return max(0, expected)
    }

    @Test(
        "The value of drafts, where rows differ",
        arguments: [
            [0.3, 0.3, 0.3, 0.3, 0.3, 0.3], [0.6, 0.55, 0.4, 0.9, 0.5, 0.45], [0, 0, 0, 0.7, 0.4, 0.4],
            [0.9, 0.1, 0.1, 0.1, 0.9, 0.1],
        ], [0.02, 0.15, 0.3])
    func differentRows(rows: [Double], step: Double) {
        let chances: Chances = [(0.97, 0.5), (0.8, 0.2), (0.55, 0.2), (0.1, 0.1)]
        var rule = StoppingRule()
        rule.solve(chances: chances, step: step, rows: rows, goesOn: false)
        for drafts in 0..<rows.count {
            for survival in [1, 0.93, 0.7, 0.41, 0.2] {
                let exact = value(survival, drafts, chances, step: step, rows: rows)
                let found = rule.value(survival: survival, drafts: drafts)
                #expect(
                    found > exact - 0.005 && found < exact + 0.025,
                    "\(drafts) drafts, survival \(survival): \(found) instead of \(exact)")
            }
        }
        #expect(rule.value(survival: 1, drafts: rows.count) == 0)
    }

    @Test("The value of drafts without end, where all rows cost the same")
    func sameRows() {
        let chances: Chances = [(0.9, 0.7), (0.5, 0.3)]
        var rule = StoppingRule()
        rule.solve(chances: chances, step: 0.1, rows: [0.2], goesOn: true)
        let rows = [Double](repeating: 0.2, count: 14)
        for survival in [1, 0.8, 0.5, 0.3] {
            let exact = value(survival, 0, chances, step: 0.1, rows: rows)
            for drafts in [0, 1, 20] {
                #expect(abs(rule.value(survival: survival, drafts: drafts) - exact) < 0.025)
            }
        }
    }

    @Test("Nothing is worth anything where nothing survives or a step costs more than a token")
    func worthless() {
        var rule = StoppingRule()
        rule.solve(chances: [(1, 1)], step: 1.1, rows: [0.2, 0], goesOn: false)
        #expect(rule.value(survival: 1) == 0)
        rule.solve(chances: [(0.9, 1)], step: 0.01, rows: [0.2, 0], goesOn: true)
        #expect(rule.value(survival: 1) > 0 && rule.value(survival: 0) == 0)
        rule.solve(chances: [], step: 0.01, rows: [], goesOn: false)
        #expect(rule.value(survival: 1) == 0)
    }
}
