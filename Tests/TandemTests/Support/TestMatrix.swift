// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import TandemFormat

/// How a test stores the matrices of a model.
enum WeightFormat: Sendable, CustomStringConvertible {
    case float
    /// `group` 0 = one scale per row.
    case int8(group: Int)
    case int4(group: Int)
    /// 4 bits with scale and offset codes.
    case int4z(group: Int)

    var description: String {
        switch self {
        case .float: "f32"
        case .int8(let group): "i8/\(group == 0 ? "row" : "\(group)")"
        case .int4(let group): "i4/\(group == 0 ? "row" : "\(group)")"
        case .int4z(let group): "i4z/\(group == 0 ? "row" : "\(group)")"
        }
    }

    var encoding: TensorEncoding {
        switch self {
        case .float: .panelF32
        case .int8: .panelI8
        case .int4: .panelI4
        case .int4z: .panelI4Z
        }
    }

    func groupSize(columns: Int) -> Int {
        switch self {
        case .float: 0
        case .int8(let group), .int4(let group), .int4z(let group):
            group == 0 ? TensorLayout.rowGroupSize(columns: columns) : group
        }
    }
}

/// A matrix as it is stored in a file, and the very values that the stored form stands for.
struct TestMatrix {
    let layout: TensorLayout
    /// [rows, columns]; dequantised when the format is quantised.
    let values: [Float]
    private let integers: [Int8]
    /// [rows, groups] as f16.
    private let scales: [UInt16]
    /// Of the 4-bit format with offsets.
    private let codes: OffsetCodes?

    init(rows: Int, columns: Int, floats: [Float], format: WeightFormat) throws {
        let group = format.groupSize(columns: columns)
        layout = try TensorLayout(
            encoding: format.encoding, rows: rows, columns: columns, groupSize: group)
        guard group > 0 else {
            (values, integers, scales, codes) = (floats, [], [], nil)
            return
        }
        if layout.encoding == .panelI4Z {
            let codes = OffsetCodes(rows: rows, columns: columns, floats: floats, layout: layout)
            (values, integers, scales, self.codes) = (codes.values, codes.integers, [], codes)
            return
        }
        let limit: Float = format.encoding == .panelI8 ? 127 : 7
        let groups = layout.paddedColumns / group
        var values = floats
        var integers = [Int8](repeating: 0, count: rows * columns)
        var scales = [UInt16](repeating: 0, count: rows * groups)
        for row in 0..<rows {
            for index in 0..<groups where index * group < columns {
                let range = row * columns + index * group..<row * columns + min(columns, (index + 1) * group)
                let largest = floats[range].reduce(Float(0)) { max($0, $1.magnitude) }
                let half = tk_f16_from_f32(largest / limit)
                let scale = tk_f32_from_f16(half)
                scales[row * groups + index] = half
                for element in range {
                    let quotient = scale > 0 ? (floats[element] / scale).rounded(.toNearestOrEven) : 0
                    let integer = min(limit, max(-limit, quotient))
                    integers[element] = Int8(integer)
                    values[element] = integer * scale
                }
            }
        }
        (self.values, self.integers, self.scales, codes) = (values, integers, scales, nil)
    }

    /// Appends the panels to the tensor that `writer` has open.
    func append(to writer: TandemWriter) throws {
        for panel in 0..<layout.panelCount {
            let first = panel * TensorLayout.panelRows
            let rows = min(TensorLayout.panelRows, layout.rows - first)
            let bytes = packed(first: first, rows: rows)
            try unsafe bytes.withUnsafeBytes { try unsafe writer.appendData($0) }
            guard layout.groupSize > 0 else { continue }
            if let codes {
                let block = codes.block(panel: panel)
                try unsafe block.withUnsafeBytes { try unsafe writer.appendScales($0) }
                continue
            }
            let groups = layout.paddedColumns / layout.groupSize
            var halves = [UInt16](repeating: 0, count: groups * 16)
            for row in 0..<rows {
                for group in 0..<groups { halves[group * 16 + row] = scales[(first + row) * groups + group] }
            }
            try unsafe halves.withUnsafeBytes { try unsafe writer.appendScales($0) }
        }
    }

    private func packed(first: Int, rows: Int) -> [UInt8] {
        let columns = layout.columns
        let padded = layout.paddedColumns
        var panel = [UInt8](repeating: 0, count: layout.panelDataLength)
        unsafe panel.withUnsafeMutableBytes { output in
            guard let base = output.baseAddress else { return }
            switch layout.encoding {
            case .panelI8:
                unsafe integers[(first * columns)...].withUnsafeBufferPointer {
                    unsafe tk_pack_panel_i8(
                        $0.baseAddress, columns, rows, columns, padded,
                        base.assumingMemoryBound(to: UInt8.self))
                }
            case .panelI4, .panelI4Z:
                unsafe integers[(first * columns)...].withUnsafeBufferPointer {
                    unsafe tk_pack_panel_i4(
                        $0.baseAddress, columns, rows, columns, padded,
                        base.assumingMemoryBound(to: UInt8.self))
                }
            default:
                unsafe values[(first * columns)...].withUnsafeBufferPointer {
                    unsafe tk_pack_panel_f32(
                        $0.baseAddress, columns, rows, columns, base.assumingMemoryBound(to: Float.self))
                }
            }
        }
        return panel
    }
}
