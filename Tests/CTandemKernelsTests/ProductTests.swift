// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

struct Shape: Sendable, CustomTestStringConvertible {
    let rows: Int
    let columns: Int
    let group: Int
    let activationGroup: Int
    var testDescription: String { "\(rows)x\(columns) g\(group)/\(activationGroup)" }

    static let all: [Shape] = [
        // Multiples of everything; N not of 16; K not of the group; one output; K below a group.
        .init(rows: 64, columns: 256, group: 32, activationGroup: 32),
        .init(rows: 40, columns: 200, group: 64, activationGroup: 64),
        .init(rows: 33, columns: 384, group: 128, activationGroup: 128),
        .init(rows: 1, columns: 3, group: 32, activationGroup: 32),
        .init(rows: 17, columns: 65, group: 128, activationGroup: 128),
        // The weight group is a multiple of the activation group, up to the whole row.
        .init(rows: 24, columns: 300, group: 128, activationGroup: 32),
        .init(rows: 31, columns: 448, group: 0, activationGroup: 64),
        .init(rows: 16, columns: 1000, group: 0, activationGroup: 32),
    ]
}

@Suite("Quantised matrix products")
struct ProductTests {
    static let rowCounts = Array(1...17) + [31, 32, 33, 40]

    private func activations(_ shape: Shape, rows: Int, paddedColumns: Int, _ random: inout Random)
        -> Activations
    {
        var x = random.floats(rows * shape.columns)
        // One row of extremes: every q is 127 or -127.
        for i in 0..<shape.columns { x[i] = i % 3 == 0 ? -1 : 1 }
        return Table.scalar.quantize(
            x, rows: rows, columns: shape.columns, paddedColumns: paddedColumns, group: shape.activationGroup)
    }

    @Test("every table gives the scalar table's bits", arguments: Table.all, Shape.all)
    func equalsScalar(table: Table, shape: Shape) {
        for kind in MatrixKind.allCases {
            var random = Random(seed: UInt64(shape.columns * kind.bytesPerColumn))
            let w = QuantisedMatrix.random(
                rows: shape.rows, columns: shape.columns, kind: kind, group: shape.group, using: &random)
            for rows in Self.rowCounts {
                let x = activations(shape, rows: rows, paddedColumns: w.paddedColumns, &random)
                let expected = bits(Table.scalar.product(x, w))
                #expect(bits(table.product(x, w)) == expected, "\(kind), \(rows) rows")
                #expect(
                    bits(table.product(x, w, interleaved: false)) == expected,
                    "\(kind), \(rows) rows in their own order")
            }
        }
    }

    @Test("long prompts: every table gives the scalar table's bits", arguments: Table.all, [32, 64, 128, 0])
    func longPrompts(table: Table, group: Int) {
        // More k than any kernel takes at a time, and not a multiple of it.
        let shape = Shape(rows: 50, columns: 1100, group: group, activationGroup: group == 0 ? 64 : group)
        for kind in MatrixKind.allCases {
            var random = Random(seed: UInt64(1 + group))
            let w = QuantisedMatrix.random(
                rows: shape.rows, columns: shape.columns, kind: kind, group: group, using: &random)
            let x = activations(shape, rows: 512, paddedColumns: w.paddedColumns, &random)
            let expected = bits(Table.scalar.product(x, w))
            #expect(bits(table.product(x, w)) == expected, "\(kind)")
            // Blocks of every size up to two tiles of rows, somewhere in between.
            let width = w.panelCount * 16
            for rows in [18, 24, 47, 63, 65, 97] {
                #expect(
                    bits(table.product(x, w, rows: 3..<3 + rows))
                        == Array(expected[3 * width..<(3 + rows) * width]), "\(kind), \(rows) rows")
            }
        }
    }

    @Test("verification: many columns", arguments: Table.all, [64, 128, 0])
    func verification(table: Table, group: Int) {
        let shape = Shape(rows: 40, columns: 4200, group: group, activationGroup: group == 0 ? 32 : group)
        for kind in MatrixKind.allCases {
            var random = Random(seed: UInt64(5 + group))
            let w = QuantisedMatrix.random(
                rows: shape.rows, columns: shape.columns, kind: kind, group: group, using: &random)
            let x = activations(shape, rows: 16, paddedColumns: w.paddedColumns, &random)
            let expected = bits(Table.scalar.product(x, w))
            let width = w.panelCount * 16
            for rows in [1, 6, 7, 8, 9, 11, 12, 13, 16] {
                #expect(
                    bits(table.product(x, w, rows: 0..<rows)) == Array(expected[..<(rows * width)]),
                    "\(kind), \(rows) rows")
            }
        }
    }

    @Test("a row's result depends neither on other rows nor on panel ranges", arguments: Table.all)
    func independence(table: Table) {
        var random = Random(seed: 7)
        let shape = Shape(rows: 100, columns: 320, group: 64, activationGroup: 64)
        for kind in MatrixKind.allCases {
            let w = QuantisedMatrix.random(rows: 100, columns: 320, kind: kind, group: 64, using: &random)
            let x = activations(shape, rows: 17, paddedColumns: w.paddedColumns, &random)
            let whole = table.product(x, w)
            let width = w.panelCount * 16
            for row in 0..<17 {
                #expect(
                    table.product(x, w, rows: row..<row + 1) == Array(whole[row * width..<(row + 1) * width]))
            }
            for panel in 0..<w.panelCount {
                let part = table.product(x, w, panels: panel..<panel + 1)
                for i in part.indices {
                    let inside = i % width / 16 == panel
                    #expect(part[i] == (inside ? whole[i] : -1), "wrong or out-of-range write at \(i)")
                }
            }
            #expect(table.product(x, w, panels: 3..<3).allSatisfy { $0 == -1 })
        }
    }

    @Test("the scalar table agrees with double precision", arguments: Shape.all)
    func accuracy(shape: Shape) {
        for kind in MatrixKind.allCases {
            var random = Random(seed: 99)
            let w = QuantisedMatrix.random(
                rows: shape.rows, columns: shape.columns, kind: kind, group: shape.group, using: &random)
            let x = activations(shape, rows: 3, paddedColumns: w.paddedColumns, &random)
            let y = Table.scalar.product(x, w)
            for row in 0..<3 {
                for n in 0..<shape.rows {
                    var exact = 0.0
                    var magnitude = 0.0
                    for k in 0..<shape.columns {
                        let activation =
                            Double(x.q[row * x.paddedColumns + k])
                            * Double(x.scales[row * x.groups + k / x.group])
                        let weight = w.element(row: n, column: k)
                        exact += activation * weight.exact
                        magnitude += abs(activation) * weight.magnitude
                    }
                    let error = abs(Double(y[row * w.panelCount * 16 + n]) - exact)
                    #expect(error <= magnitude * 1e-6, "\(kind) row \(row), output \(n)")
                }
                for n in shape.rows..<w.panelCount * 16 { #expect(y[row * w.panelCount * 16 + n] == 0) }
            }
        }
    }

    @Test("hostile bytes and scales are computed alike and never trap", arguments: Table.all)
    func hostile(table: Table) {
        var random = Random(seed: 3)
        let scales: [UInt16] = [0, 0x8000, 0x7c00, 0xfc00, 0x7e01, 1, 0x7bff, 0x3c00]
        // -128 and -8 are outside what packing writes, but inside what a damaged file may hold.
        let bytes = (0..<32 * 256).map { _ in
            Int8(truncatingIfNeeded: random.next() % 3 == 0 ? 128 : random.next())
        }
        let nibbles = bytes.map { Int8((Int($0) & 15) - 8) }
        let floats = random.wildFloats(64)
        for kind in MatrixKind.allCases {
            let factors: GroupFactors =
                kind == .i4z
                ? .codes(
                    { n, g in (UInt8(truncatingIfNeeded: n * 85 + g), Int8(truncatingIfNeeded: n * 64 - g)) },
                    row: { (floats[$0], floats[32 + $0]) })
                : .scales { n, g in scales[(n * 3 + g) % scales.count] }
            let w = QuantisedMatrix(
                rows: 32, columns: 256, kind: kind, group: 32, values: kind == .i8 ? bytes : nibbles,
                factors: factors)
            let x = Table.scalar.quantize(
                random.floats(5 * 256) + random.wildFloats(256), rows: 6, columns: 256, paddedColumns: 256,
                group: 32)
            #expect(bits(table.product(x, w)) == bits(Table.scalar.product(x, w)), "\(kind)")
        }
    }
}
