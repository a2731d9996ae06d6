// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// The simplest way to 4 bits with an offset: a group's value range goes to -8 ... 7, its middle becomes the offset; both
/// are then rounded to 8-bit codes of their row.
struct OffsetCodes {
    /// [rows, columns]: what is stored, and what it stands for.
    let integers: [Int8]
    let values: [Float]
    private let layout: TensorLayout
    /// [rows]: factors of the scale codes and of the offset codes.
    private let factors: [(scale: Float, offset: Float)]
    /// [rows, groups]
    private let codes: [(scale: UInt8, offset: Int8)]

    init(rows: Int, columns: Int, floats: [Float], layout: TensorLayout) {
        let (group, groups) = (layout.groupSize, layout.groupCount)
        var integers = [Int8](repeating: 0, count: rows * columns)
        var values = floats
        var codes = [(scale: UInt8, offset: Int8)](repeating: (0, 0), count: rows * groups)
        var factors: [(scale: Float, offset: Float)] = []
        for row in 0..<rows {
            let ranges = (0..<groups).compactMap { index in
                index * group < columns
                    ? row * columns + index * group..<row * columns + min(columns, (index + 1) * group) : nil
            }
            // A step of 1/15 of the range, and the offset that puts -8 at the least value.
            let ideal = ranges.map { range in
                let (low, high) = (floats[range].min() ?? 0, floats[range].max() ?? 0)
                let step = (high - low) / 15
                return (scale: step, offset: low + 8 * step)
            }
            let scale = (ideal.map(\.scale).max() ?? 0) / 255
            let offset = (ideal.map(\.offset.magnitude).max() ?? 0) / 127
            factors.append((scale, offset))
            for (index, range) in ranges.enumerated() {
                let scaleCode = scale > 0 ? (ideal[index].scale / scale).rounded() : 0
                let offsetCode = offset > 0 ? (ideal[index].offset / offset).rounded() : 0
                codes[row * groups + index] = (UInt8(scaleCode), Int8(offsetCode))
                let (step, shift) = (scaleCode * scale, offsetCode * offset)
                for element in range {
                    let integer = step > 0 ? ((floats[element] - shift) / step).rounded() : 0
                    integers[element] = Int8(min(7, max(-8, integer)))
                    values[element] = (Float(integers[element]) * scaleCode) * scale + shift
                }
            }
        }
        (self.integers, self.values, self.factors, self.codes) = (integers, values, factors, codes)
        self.layout = layout
    }

    /// The scales of one panel as the format lays them out.
    func block(panel: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: layout.panelScalesLength)
        for row in panel * 16..<min(panel * 16 + 16, layout.rows) {
            let lane = row % 16
            for (at, value) in [(4 * lane, factors[row].scale), (64 + 4 * lane, factors[row].offset)] {
                for byte in 0..<4 {
                    bytes[at + byte] = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * byte))
                }
            }
            for group in 0..<layout.groupCount {
                let code = codes[row * layout.groupCount + group]
                bytes[128 + 32 * group + lane] = code.scale
                bytes[144 + 32 * group + lane] = UInt8(bitPattern: code.offset)
            }
        }
        return bytes
    }
}
