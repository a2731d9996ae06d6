// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Foundation
import Testing

@Suite("Attention")
struct AttentionTests {
    static let headSizes = [8, 16, 24, 40, 48, 56, 64, 72, 80, 96, 104, 112, 120, 128, 256]

    @Test("every table gives the scalar table's bits", arguments: Table.all, headSizes)
    func equalsScalar(table: Table, headSize: Int) {
        for half in [false, true] {
            var random = Random(seed: UInt64(headSize))
            let cache = KeyValueCache(positions: 90, headSize: headSize, half: half, using: &random)
            let q = random.floats(9 * headSize)
            let scale = 1 / Float(headSize).squareRoot()
            for count in Array(1...70) where headSize <= 64 || count % 5 == 1 {
                let begin = count * 7 % 20
                let heads = 1 + count % 9
                let queries = Array(q[..<(heads * headSize)])
                let mine = table.attention(
                    queries, heads: heads, cache: cache, visible: begin..<begin + count, scale: scale)
                let reference = Table.scalar.attention(
                    queries, heads: heads, cache: cache, visible: begin..<begin + count, scale: scale)
                #expect(
                    bits(mine) == bits(reference), "\(heads) heads, \(begin)..<\(begin + count), f16: \(half)"
                )
            }
        }
    }

    @Test("a head's result does not depend on the heads beside it", arguments: Table.all)
    func independence(table: Table) {
        var random = Random(seed: 41)
        let cache = KeyValueCache(positions: 50, headSize: 64, half: true, using: &random)
        let q = random.floats(7 * 64)
        let together = table.attention(q, heads: 7, cache: cache, visible: 3..<50, scale: 0.125)
        for head in 0..<7 {
            let slice = head * 64..<(head + 1) * 64
            let alone = table.attention(
                Array(q[slice]), heads: 1, cache: cache, visible: 3..<50, scale: 0.125)
            #expect(alone == Array(together[slice]))
        }
    }

    @Test("a row's result does not depend on the rows beside it", arguments: Table.all, [1, 2, 3, 5])
    func rowIndependence(table: Table, heads: Int) {
        var random = Random(seed: 47)
        for half in [false, true] {
            let cache = KeyValueCache(positions: 60, headSize: 40, half: half, using: &random)
            for (rows, first) in [(1, 1), (2, 1), (3, 15), (4, 16), (5, 17), (7, 30), (9, 40)] {
                let width = heads * 40
                let q = random.floats(rows * width)
                let together = table.attention(
                    q, rows: rows, heads: heads, cache: cache, visible: 3..<3 + first, scale: 0.2)
                for row in 0..<rows {
                    let slice = row * width..<(row + 1) * width
                    let alone = Table.scalar.attention(
                        Array(q[slice]), heads: heads, cache: cache, visible: 3..<3 + first + row, scale: 0.2)
                    #expect(
                        bits(alone) == bits(Array(together[slice])), "\(rows) rows, row \(row), f16: \(half)")
                }
            }
        }
    }

    @Test(
        "windows and soft caps give the scalar table's bits, row by row", arguments: Table.all,
        [1, 2, 3, 4, 6])
    func windows(table: Table, heads: Int) {
        var random = Random(seed: 48)
        for (half, softcap) in [(false, Float(0)), (true, 0), (false, 0.7), (true, 20)] {
            let cache = KeyValueCache(positions: 60, headSize: 40, half: half, using: &random)
            for (rows, first) in [(1, 1), (2, 1), (4, 16), (5, 17), (8, 30), (9, 40)] {
                let width = heads * 40
                let q = random.floats(rows * width, scale: 3)
                for window in [1, 2, 5, 16, 17, 33, 100] {
                    let together = table.attention(
                        q, rows: rows, heads: heads, cache: cache, visible: 3..<3 + first, scale: 0.2,
                        window: window, softcap: softcap)
                    for row in 0..<rows {
                        let end = 3 + first + row
                        let alone = Table.scalar.attention(
                            Array(q[row * width..<(row + 1) * width]), heads: heads, cache: cache,
                            visible: max(3, end - window)..<end, scale: 0.2, softcap: softcap)
                        #expect(
                            bits(alone) == bits(Array(together[row * width..<(row + 1) * width])),
                            "\(rows) rows, row \(row), window \(window), cap \(softcap), f16: \(half)")
                    }
                }
            }
        }
    }

    @Test("the scalar table agrees with double precision", arguments: [8, 24, 64, 128])
    func accuracy(headSize: Int) {
        for softcap in [Float(0), 1.5] { accuracy(headSize: headSize, softcap: softcap) }
    }

    private func accuracy(headSize: Int, softcap: Float) {
        var random = Random(seed: 42)
        let cache = KeyValueCache(positions: 70, headSize: headSize, half: false, using: &random)
        let q = random.floats(headSize)
        let scale = 1 / Float(headSize).squareRoot()
        for visible in [0..<1, 5..<70, 0..<33] {
            let y = Table.scalar.attention(
                q, heads: 1, cache: cache, visible: visible, scale: scale, softcap: softcap)
            let scores = visible.map { t in
                let score =
                    (0..<headSize).reduce(0.0) {
                        $0 + Double(q[$1]) * Double(cache.keyFloats[t * headSize + $1])
                    }
                    * Double(scale)
                return softcap > 0 ? Double(softcap) * tanh(score / Double(softcap)) : score
            }
            let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
            let total = weights.reduce(0, +)
            for i in 0..<headSize {
                let expected = zip(visible, weights).reduce(0.0) {
                    $0 + $1.1 / total * Double(cache.valueFloats[$1.0 * headSize + i])
                }
                #expect(abs(Double(y[i]) - expected) < 2e-6)
            }
        }
    }

    @Test("one visible position returns its value whatever the score", arguments: Table.all)
    func single(table: Table) {
        var random = Random(seed: 43)
        let cache = KeyValueCache(positions: 3, headSize: 24, half: false, using: &random)
        let y = table.attention(
            random.floats(24, scale: 1e4), heads: 1, cache: cache, visible: 1..<2, scale: 1)
        #expect(y == Array(cache.valueFloats[24..<48]))
    }
}
