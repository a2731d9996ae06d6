// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

@Suite("Activation quantisation")
struct QuantizeTests {
    @Test("every table gives the scalar table's bits", arguments: Table.all)
    func equalsScalar(table: Table) {
        var random = Random(seed: 21)
        for group in [32, 64, 128] {
            for columns in [1, 15, 16, 17, 63, 64, 65, 100, 128, 200, 383, 384] {
                let padded = (columns + 127) / 128 * 128
                for x in [random.floats(3 * columns, scale: 50), random.wildFloats(3 * columns)] {
                    let mine = table.quantize(
                        x, rows: 3, columns: columns, paddedColumns: padded, group: group)
                    let scalar = Table.scalar.quantize(
                        x, rows: 3, columns: columns, paddedColumns: padded, group: group)
                    #expect(
                        mine.q == scalar.q && mine.sums == scalar.sums, "group \(group), \(columns) columns")
                    #expect(bits(mine.scales) == bits(scalar.scales), "group \(group), \(columns) columns")
                }
            }
        }
    }

    @Test("error is at most half a step and sums are right", arguments: Table.all)
    func errorBudget(table: Table) {
        var random = Random(seed: 22)
        let x = random.floats(2 * 100, scale: 7)
        let result = table.quantize(x, rows: 2, columns: 100, paddedColumns: 128, group: 32)
        for row in 0..<2 {
            for g in 0..<4 {
                let q = result.q[row * 128 + g * 32..<row * 128 + (g + 1) * 32]
                #expect(result.sums[row * 4 + g] == q.reduce(0) { $0 + Int32($1) })
                for i in 0..<32 where g * 32 + i < 100 {
                    let back = Float(q[q.startIndex + i]) * result.scales[row * 4 + g]
                    #expect(abs(back - x[row * 100 + g * 32 + i]) <= result.scales[row * 4 + g] * 0.50001)
                }
            }
            #expect(result.q[row * 128 + 100..<(row + 1) * 128].allSatisfy { $0 == 0 })
        }
    }

    private func quantizeGroup(_ table: Table, _ head: [Float]) -> (q: [Int8], scale: Float, sum: Int32) {
        let x = head + [Float](repeating: 0, count: 32 - head.count)
        let result = table.quantize(x, rows: 1, columns: 32, paddedColumns: 64, group: 32)
        return (Array(result.q[..<head.count]), result.scales[0], result.sums[0])
    }

    @Test("edge cases are as documented", arguments: Table.all)
    func edges(table: Table) {
        let zeros = quantizeGroup(table, [0, -0.0, 0])
        #expect(zeros.q == [0, 0, 0] && zeros.scale == 0 && zeros.sum == 0)

        // Halves round to even: the scale is exactly 1.
        let halves = quantizeGroup(table, [127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5])
        #expect(halves.q == [127, 0, 2, 2, 0, -2, -2, 126] && halves.scale == 1)

        let withNaN = quantizeGroup(table, [.nan, 254, -127])
        #expect(withNaN.q == [0, 127, -64] && withNaN.scale == 2 && withNaN.sum == 63)

        let allNaN = quantizeGroup(table, [.nan, -.nan, .signalingNaN])
        #expect(allNaN.q == [0, 0, 0] && allNaN.scale == 0)

        let infinite = quantizeGroup(table, [.infinity, -.infinity, 5])
        #expect(infinite.q == [0, 0, 0] && infinite.scale == .infinity && infinite.sum == 0)

        // 127 / amax overflows to infinity: values saturate, zeros (0 * inf = NaN) stay zero.
        let tiny = Float.leastNonzeroMagnitude
        let denormal = quantizeGroup(table, [tiny, -tiny, 0])
        #expect(denormal.q == [127, -127, 0] && denormal.sum == 0)
    }
}
