// SPDX-License-Identifier: Apache-2.0

import CTandemKernels

/// The kinds of quantised matrices.
enum MatrixKind: String, Sendable, CaseIterable {
    case i8, i4, i4z

    /// Values a matrix may hold.
    var range: ClosedRange<Int> { self == .i8 ? -127...127 : -8...7 }
    /// Bytes of a panel for each padded column.
    var bytesPerColumn: Int { self == .i8 ? 16 : 8 }
}

/// What the groups of a matrix have beside their values.
enum GroupFactors {
    /// i8, i4: the 16-bit float scale of (row, group).
    case scales((Int, Int) -> UInt16)
    /// i4z: the scale code and offset code of (row, group), and the factors of a row.
    case codes((Int, Int) -> (scale: UInt8, offset: Int8), row: (Int) -> (scale: Float, offset: Float))
}

/// A weight matrix in N16K4 layout together with the integers it was packed from.
struct QuantisedMatrix {
    let rows: Int
    let columns: Int
    let kind: MatrixKind
    let group: Int
    let paddedColumns: Int
    let values: [Int8]
    let panels: AlignedBytes
    let scales: AlignedBytes

    var panelCount: Int { (rows + 15) / 16 }

    /// `group` 0 means one group per row.
    init(rows: Int, columns: Int, kind: MatrixKind, group: Int, values: [Int8], factors: GroupFactors) {
        let unit = group == 0 ? 64 : max(64, group)
        (self.rows, self.columns, self.kind, self.values) = (rows, columns, kind, values)
        paddedColumns = (columns + unit - 1) / unit * unit
        self.group = group == 0 ? paddedColumns : group
        let panelCount = (rows + 15) / 16
        panels = AlignedBytes(count: panelCount * paddedColumns * kind.bytesPerColumn)
        scales = AlignedBytes(
            count: panelCount * (paddedColumns / self.group * 32 + (kind == .i4z ? 128 : 0)))
        packValues()
        for row in 0..<rows { store(factors, row: row) }
    }

    private func packValues() {
        let panelBytes = panels.count / panelCount
        for panel in 0..<panelCount {
            let valid = min(16, rows - panel * 16)
            let panelValues = Array(values[panel * 16 * columns..<(panel * 16 + valid) * columns])
            let target = unsafe (panels.base + panel * panelBytes).assumingMemoryBound(to: UInt8.self)
            if kind == .i8 {
                unsafe tk_pack_panel_i8(panelValues, columns, valid, columns, paddedColumns, target)
            } else {
                unsafe tk_pack_panel_i4(panelValues, columns, valid, columns, paddedColumns, target)
            }
        }
    }

    private func store(_ factors: GroupFactors, row: Int) {
        let block = unsafe scales.base + row / 16 * (scales.count / panelCount)
        let lane = row % 16
        for group in 0..<paddedColumns / group {
            switch factors {
            case .scales(let scale):
                unsafe block.storeBytes(
                    of: scale(row, group), toByteOffset: 32 * group + 2 * lane, as: UInt16.self)
            case .codes(let code, _):
                let (scale, offset) = code(row, group)
                unsafe block.storeBytes(of: scale, toByteOffset: 128 + 32 * group + lane, as: UInt8.self)
                unsafe block.storeBytes(of: offset, toByteOffset: 144 + 32 * group + lane, as: Int8.self)
            }
        }
        if case .codes(_, let factor) = factors {
            unsafe block.storeBytes(of: factor(row).scale, toByteOffset: 4 * lane, as: Float.self)
            unsafe block.storeBytes(of: factor(row).offset, toByteOffset: 64 + 4 * lane, as: Float.self)
        }
    }

    /// Random values and codes over their full range, extremes included, and small random scales.
    static func random(rows: Int, columns: Int, kind: MatrixKind, group: Int, using random: inout Random)
        -> Self
    {
        let range = kind.range
        let values = (0..<rows * columns).map { _ in
            switch random.next() % 16 {
            case 0: Int8(range.lowerBound)
            case 1: Int8(range.upperBound)
            default: Int8(range.lowerBound + Int(random.next() % UInt64(range.count)))
            }
        }
        let codes = (0..<257).map { _ in
            let bits = random.next()
            return (
                scale: bits % 8 == 0 ? 255 : UInt8(truncatingIfNeeded: bits >> 8),
                offset: bits % 8 == 1 ? -128 : Int8(truncatingIfNeeded: bits >> 16)
            )
        }
        let floats = random.floats(257)
        func pick(_ row: Int, _ group: Int) -> Int { (row * 31 + group) % 257 }
        let factors: GroupFactors =
            kind == .i4z
            ? .codes(
                { codes[pick($0, $1)] },
                row: { (0.0001 + 0.00002 * floats[pick($0, 0)], 0.001 * floats[pick($0, 1)]) })
            : .scales { tk_f16_from_f32(0.002 + 0.01 * abs(floats[pick($0, $1)])) }
        return Self(
            rows: rows, columns: columns, kind: kind, group: group, values: values, factors: factors)
    }

    /// The element (row, column): with every product and the sum rounded; exact; the sum of its terms' magnitudes.
    func element(row: Int, column: Int) -> (rounded: Float, exact: Double, magnitude: Double) {
        let value = Float(values[row * columns + column])
        let block = unsafe UnsafeRawPointer(scales.base) + row / 16 * (scales.count / panelCount)
        let (lane, at) = (row % 16, column / group * 32)
        guard kind == .i4z else {
            let scale = unsafe tk_f32_from_f16(block.load(fromByteOffset: at + 2 * lane, as: UInt16.self))
            let exact = Double(value) * Double(scale)
            return (value * scale, exact, abs(exact))
        }
        let scaleCode = unsafe Float(block.load(fromByteOffset: 128 + at + lane, as: UInt8.self))
        let offsetCode = unsafe Float(block.load(fromByteOffset: 144 + at + lane, as: Int8.self))
        let scale = unsafe block.load(fromByteOffset: 4 * lane, as: Float.self)
        let offset = unsafe block.load(fromByteOffset: 64 + 4 * lane, as: Float.self)
        let scaled = Double(value * scaleCode) * Double(scale)
        let shift = Double(offsetCode) * Double(offset)
        return (
            (value * scaleCode) * scale + offsetCode * offset, scaled + shift, abs(scaled) + abs(shift)
        )
    }
}
