// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

@Suite("Float matrix products")
struct FloatProductTests {
    static let shapes = [(1, 1), (16, 64), (20, 13), (64, 48), (80, 100), (130, 384)].map {
        FloatShape(n: $0, k: $1)
    }

    struct FloatShape: Sendable, CustomTestStringConvertible {
        let n: Int
        let k: Int
        var testDescription: String { "\(n)x\(k)" }
    }

    @Test("every table gives the scalar table's bits", arguments: Table.all, shapes)
    func equalsScalar(table: Table, shape: FloatShape) {
        var random = Random(seed: UInt64(shape.n))
        let w = FloatMatrix(rows: shape.n, columns: shape.k, values: random.floats(shape.n * shape.k))
        for rows in 1...17 {
            let x = random.floats(rows * shape.k)
            #expect(bits(table.product(x, rows: rows, w)) == bits(Table.scalar.product(x, rows: rows, w)))
        }
    }

    @Test("a row's result depends neither on other rows nor on panel ranges", arguments: Table.all)
    func independence(table: Table) {
        var random = Random(seed: 11)
        let w = FloatMatrix(rows: 90, columns: 77, values: random.floats(90 * 77))
        let x = random.floats(9 * 77)
        let whole = table.product(x, rows: 9, w)
        let width = w.panelCount * 16
        for row in 0..<9 {
            let alone = table.product(Array(x[row * 77..<(row + 1) * 77]), rows: 1, w)
            #expect(alone == Array(whole[row * width..<(row + 1) * width]))
        }
        for panel in 0..<w.panelCount {
            let part = table.product(x, rows: 9, w, panels: panel..<panel + 1)
            #expect(part.indices.allSatisfy { part[$0] == ($0 % width / 16 == panel ? whole[$0] : -1) })
        }
    }

    @Test("the scalar table agrees with double precision", arguments: shapes)
    func accuracy(shape: FloatShape) {
        var random = Random(seed: 5)
        let w = FloatMatrix(rows: shape.n, columns: shape.k, values: random.floats(shape.n * shape.k))
        let x = random.floats(2 * shape.k)
        let y = Table.scalar.product(x, rows: 2, w)
        for row in 0..<2 {
            for n in 0..<shape.n {
                let terms = (0..<shape.k).map {
                    Double(x[row * shape.k + $0]) * Double(w.values[n * shape.k + $0])
                }
                let magnitude = terms.reduce(0) { $0 + abs($1) }
                let error = abs(Double(y[row * w.panelCount * 16 + n]) - terms.reduce(0, +))
                #expect(error <= magnitude * 6e-8 * Double(shape.k))
            }
        }
    }
}
