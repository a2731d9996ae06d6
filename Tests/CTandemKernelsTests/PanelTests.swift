// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

@Suite("Panel layouts")
struct PanelTests {
    @Test("gathering a row gives back its elements", arguments: MatrixKind.allCases, [32, 64, 128, 0])
    func gather(kind: MatrixKind, group: Int) {
        var random = Random(seed: 61)
        for (rows, columns) in [(1, 1), (16, 64), (37, 131), (20, 260)] {
            let w = QuantisedMatrix.random(
                rows: rows, columns: columns, kind: kind, group: group, using: &random)
            let (panels, padded, group) = unsafe (w.panels.base, w.paddedColumns, w.group)
            for n in 0..<rows {
                var out = [Float](repeating: .nan, count: columns)
                switch kind {
                case .i8: unsafe tk_gather_i8(panels, w.scales.halves, padded, group, n, columns, &out)
                case .i4: unsafe tk_gather_i4(panels, w.scales.halves, padded, group, n, columns, &out)
                case .i4z: unsafe tk_gather_i4z(panels, w.scales.base, padded, group, n, columns, &out)
                }
                let expected = (0..<columns).map { w.element(row: n, column: $0).rounded }
                #expect(out == expected)
            }
        }
    }

    @Test("float panels hold element (n, k) where the layout says")
    func floatLayout() {
        var random = Random(seed: 62)
        let w = FloatMatrix(rows: 21, columns: 10, values: random.floats(210))
        for n in 0..<32 {
            for k in 0..<10 {
                let stored = unsafe w.panels.floats[n / 16 * 10 * 16 + k * 16 + n % 16]
                #expect(stored == (n < 21 ? w.values[n * 10 + k] : 0))
            }
        }
        var out = [Float](repeating: 0, count: 10)
        unsafe tk_gather_f32(w.panels.floats, 10, 19, 10, &out)
        #expect(out == Array(w.values[190..<200]))
    }

    @Test("int8 and int4 panels hold element (n, k) where the layout says, padding included")
    func integerLayout() {
        var random = Random(seed: 63)
        let bytes = QuantisedMatrix.random(rows: 18, columns: 70, kind: .i8, group: 32, using: &random)
        let nibbles = QuantisedMatrix.random(rows: 18, columns: 70, kind: .i4, group: 32, using: &random)
        for n in 0..<32 {
            for k in 0..<128 {
                let inside = n < 18 && k < 70
                let byte = unsafe bytes.panels.bytes[n / 16 * 128 * 16 + k / 4 * 64 + n % 16 * 4 + k % 4]
                #expect(Int8(bitPattern: byte) == (inside ? bytes.values[n * 70 + k] : 0))
                let pair = unsafe nibbles.panels.bytes[n / 16 * 128 * 8 + k / 8 * 64 + n % 16 * 4 + k % 4]
                let nibble = Int(k % 8 < 4 ? pair & 15 : pair >> 4) - 8
                #expect(nibble == (inside ? Int(nibbles.values[n * 70 + k]) : 0))
            }
        }
    }
}
