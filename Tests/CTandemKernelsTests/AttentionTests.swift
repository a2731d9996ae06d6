// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Foundation
import Testing

@Suite("Attention")
struct AttentionTests {
    static let headSizes = [8, 16, 24, 40, 48, 56, 64, 72, 80, 96, 104, 112, 120, 128, 256]

    @Test("every table gives the scalar table's bits", arguments: Table.all, headSizes)
    func equalsScalar(table: Table, headSize: Int) {
        for type in CacheType.allCases {
            var random = Random(seed: UInt64(headSize))
            let cache = KeyValueCache(positions: 90, headSize: headSize, type: type, using: &random)
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
                    bits(mine) == bits(reference), "\(heads) heads, \(begin)..<\(begin + count), \(type)"
                )
            }
        }
    }

    @Test("a head's result does not depend on the heads beside it", arguments: Table.all)
    func independence(table: Table) {
        var random = Random(seed: 41)
        let cache = KeyValueCache(positions: 50, headSize: 64, type: .f16, using: &random)
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
        for type in CacheType.allCases {
            let cache = KeyValueCache(positions: 60, headSize: 40, type: type, using: &random)
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
                        bits(alone) == bits(Array(together[slice])), "\(rows) rows, row \(row), \(type)")
                }
            }
        }
    }

    @Test(
        "windows and soft caps give the scalar table's bits, row by row", arguments: Table.all,
        [1, 2, 3, 4, 6])
    func windows(table: Table, heads: Int) {
        var random = Random(seed: 48)
        for (type, softcap) in [
            (CacheType.f32, Float(0)), (.f16, 0), (.i8, 0), (.f32, 0.7), (.f16, 20), (.i8, 0.7),
        ] {
            let cache = KeyValueCache(positions: 60, headSize: 40, type: type, using: &random)
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
                            "\(rows) rows, row \(row), window \(window), cap \(softcap), \(type)")
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
        let cache = KeyValueCache(positions: 70, headSize: headSize, type: .f32, using: &random)
        let q = random.floats(headSize)
        let scale = 1 / Float(headSize).squareRoot()
        for visible in [0..<1, 5..<70, 0..<33] {
            let y = Table.scalar.attention(
                q, heads: 1, cache: cache, visible: visible, scale: scale, softcap: softcap)
            let scores = visible.map { t in
                let score =
                    (0..<headSize).reduce(0.0) {
                        $0 + Double(q[$1]) * Double(cache.keys.floats[t * headSize + $1])
                    }
                    * Double(scale)
                return softcap > 0 ? Double(softcap) * tanh(score / Double(softcap)) : score
            }
            let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
            let total = weights.reduce(0, +)
            for i in 0..<headSize {
                let expected = zip(visible, weights).reduce(0.0) {
                    $0 + $1.1 / total * Double(cache.values.floats[$1.0 * headSize + i])
                }
                #expect(abs(Double(y[i]) - expected) < 2e-6)
            }
        }
    }

    @Test("one visible position returns its value whatever the score", arguments: Table.all)
    func single(table: Table) {
        var random = Random(seed: 43)
        let cache = KeyValueCache(positions: 3, headSize: 24, type: .f32, using: &random)
        let y = table.attention(
            random.floats(24, scale: 1e4), heads: 1, cache: cache, visible: 1..<2, scale: 1)
        #expect(y == Array(cache.values.floats[24..<48]))
    }

    // MARK: - i8 caches

    @Test("every table stores the scalar table's codes and scales", arguments: Table.all)
    func storing(table: Table) {
        var random = Random(seed: 51)
        let odd: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, 1e-7, 3e-6, 1e30, -1e8, 65504]
        for headSize in Array(1...70) + [80, 96, 128, 256] {
            var vectors = random.floats(20 * headSize, scale: 4)
            for index in vectors.indices where random.float() > 0.9 {
                vectors[index] = odd[Int(abs(random.float()) * Float(odd.count - 1))]
            }
            for asKeys in [true, false] {
                let mine = table.stored(vectors, headSize: headSize, asKeys: asKeys)
                let reference = Table.scalar.stored(vectors, headSize: headSize, asKeys: asKeys)
                #expect(mine == reference, "head size \(headSize), keys: \(asKeys)")
            }
        }
    }

    @Test(
        "codes are off by half a scale at most, and a scale by what f16 rounds",
        arguments: [8, 32, 40, 64, 128])
    func rounding(headSize: Int) {
        var random = Random(seed: 52)
        // Blocks of every size: those of tiny numbers have scales with few bits.
        for magnitude: Float in [1e-5, 1e-3, 1, 1000] {
            let vectors = random.floats(37 * headSize, scale: magnitude)
            for asKeys in [true, false] {
                let floats = Table.scalar.stored(vectors, headSize: headSize, asKeys: asKeys).floats
                for first in stride(from: 0, to: vectors.count, by: headSize) {
                    for block in stride(from: first, to: first + headSize, by: 32) {
                        let range = block..<min(block + 32, first + headSize)
                        let largest = range.map { abs(vectors[$0]) }.max() ?? 0
                        let scale = largest / 127
                        // A scale below 2^-14 is a multiple of 2^-24.
                        let error = scale / 2 + 127 * max(scale * 0x1p-11, 0x1p-25)
                        for i in range { #expect(abs(floats[i] - vectors[i]) <= error * 1.001) }
                    }
                }
            }
        }
    }

    @Test("with i8 caches the scalar table agrees with double precision", arguments: [8, 24, 64, 80, 128])
    func accuracyOfCodes(headSize: Int) {
        var random = Random(seed: 53)
        let cache = KeyValueCache(positions: 70, headSize: headSize, type: .i8, using: &random)
        // Rounded as the kernel rounds it, so that only float rounding is left.
        let blocks = stride(from: 0, to: headSize, by: 32)
        let q = random.floats(headSize)
        var seen: [Double] = []
        for block in blocks {
            let part = q[block..<min(block + 32, headSize)]
            let scale = (part.map(abs).max() ?? 0) / 127
            seen += part.map { Double(($0 / scale).rounded(.toNearestOrEven)) * Double(scale) }
        }
        for visible in [0..<1, 5..<70, 0..<33, 17..<40] {
            let y = Table.scalar.attention(q, heads: 1, cache: cache, visible: visible, scale: 0.3)
            let scores = visible.map { t in
                0.3
                    * (0..<headSize).reduce(0.0) {
                        $0 + seen[$1] * Double(cache.keys.floats[t * headSize + $1])
                    }
            }
            let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
            let total = weights.reduce(0, +)
            for i in 0..<headSize {
                let expected = zip(visible, weights).reduce(0.0) {
                    $0 + $1.1 / total * Double(cache.values.floats[$1.0 * headSize + i])
                }
                #expect(abs(Double(y[i]) - expected) < 4e-6)
            }
        }
    }

    @Test("positions that a row does not see are of no account, whatever is there", arguments: Table.all)
    func garbage(table: Table) {
        var random = Random(seed: 54)
        let (keys, values) = (random.floats(64 * 64), random.floats(64 * 64))
        let q = random.floats(3 * 4 * 64)
        func attend(hidden: Float) -> [Float] {
            // Visible to some row: 21..<42.
            let others = { (vectors: [Float]) in
                vectors.enumerated().map { (21 * 64..<42 * 64).contains($0.offset) ? $0.element : hidden }
            }
            let cache = KeyValueCache(
                keys: others(keys), values: others(values), headSize: 64, type: .i8, table: table)
            return table.attention(
                q, rows: 3, heads: 4, cache: cache, visible: 21..<40, scale: 0.2, window: 19)
        }
        let expected = attend(hidden: 0)
        #expect(!expected.contains { $0.isNaN })
        for hidden in [1e4, Float.infinity, .nan, -1e30] {
            #expect(bits(attend(hidden: hidden)) == bits(expected), "\(hidden)")
        }
    }
}
