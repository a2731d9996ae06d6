// SPDX-License-Identifier: Apache-2.0

import CTandemKernels

/// 64-byte aligned memory of an exact size.
@safe final class AlignedBytes {
    let base: UnsafeMutableRawPointer
    let count: Int

    init(count: Int) {
        self.count = count
        unsafe base = .allocate(byteCount: count, alignment: 64)
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
    }

    convenience init<Element: BitwiseCopyable>(_ elements: [Element]) {
        self.init(count: elements.count * MemoryLayout<Element>.stride)
        unsafe elements.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
    }

    deinit { unsafe base.deallocate() }

    var bytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
    }
    var floats: UnsafePointer<Float> { unsafe UnsafePointer(base.assumingMemoryBound(to: Float.self)) }
    var halves: UnsafePointer<UInt16> { unsafe UnsafePointer(base.assumingMemoryBound(to: UInt16.self)) }
}

/// A weight matrix in N16K4 layout together with the integers and scales it was packed from.
struct QuantisedMatrix {
    let rows: Int
    let columns: Int
    let bits: Int
    let group: Int
    let paddedColumns: Int
    let values: [Int8]
    let panels: AlignedBytes
    let scales: AlignedBytes

    var panelCount: Int { (rows + 15) / 16 }

    /// `group` 0 means one group per row.
    init(rows: Int, columns: Int, bits: Int, group: Int, values: [Int8], scale: (Int, Int) -> UInt16) {
        let unit = group == 0 ? 64 : max(64, group)
        (self.rows, self.columns, self.bits, self.values) = (rows, columns, bits, values)
        paddedColumns = (columns + unit - 1) / unit * unit
        self.group = group == 0 ? paddedColumns : group
        let panelCount = (rows + 15) / 16
        let panelBytes = paddedColumns * 16 * bits / 8
        panels = AlignedBytes(count: panelCount * panelBytes)
        let bytes = unsafe panels.base.assumingMemoryBound(to: UInt8.self)
        for panel in 0..<panelCount {
            let valid = min(16, rows - panel * 16)
            let panelValues = Array(values[panel * 16 * columns..<(panel * 16 + valid) * columns])
            let target = unsafe bytes + panel * panelBytes
            if bits == 4 {
                unsafe tk_pack_panel_i4(panelValues, columns, valid, columns, paddedColumns, target)
            } else {
                unsafe tk_pack_panel_i8(panelValues, columns, valid, columns, paddedColumns, target)
            }
        }
        let groups = paddedColumns / self.group
        var halves = [UInt16](repeating: 0, count: panelCount * groups * 16)
        for n in 0..<rows {
            for g in 0..<groups { halves[n / 16 * groups * 16 + g * 16 + n % 16] = scale(n, g) }
        }
        scales = AlignedBytes(halves)
    }

    /// Random values over the full range, extremes included, and small random scales.
    static func random(rows: Int, columns: Int, bits: Int, group: Int, using random: inout Random) -> Self {
        let limit = bits == 4 ? 7 : 127
        let values = (0..<rows * columns).map { _ in
            let extreme = random.next() % 8 == 0
            return Int8(
                extreme ? (random.next() % 2 == 0 ? limit : -limit) : Int(random.next() % 255) % limit)
        }
        var scaleRandom = random
        return Self(rows: rows, columns: columns, bits: bits, group: group, values: values) { _, _ in
            tk_f16_from_f32(0.002 + 0.01 * abs(scaleRandom.float()))
        }
    }

    func scale(row: Int, column: Int) -> Float {
        let groups = paddedColumns / group
        return unsafe tk_f32_from_f16(scales.halves[row / 16 * groups * 16 + column / group * 16 + row % 16])
    }
}

/// A float matrix in N16K1 layout.
struct FloatMatrix {
    let rows: Int
    let columns: Int
    let values: [Float]
    let panels: AlignedBytes

    var panelCount: Int { (rows + 15) / 16 }

    init(rows: Int, columns: Int, values: [Float]) {
        (self.rows, self.columns, self.values) = (rows, columns, values)
        panels = AlignedBytes(count: (rows + 15) / 16 * columns * 16 * 4)
        let floats = unsafe panels.base.assumingMemoryBound(to: Float.self)
        for panel in 0..<(rows + 15) / 16 {
            let valid = min(16, rows - panel * 16)
            let panelValues = Array(values[panel * 16 * columns..<(panel * 16 + valid) * columns])
            unsafe tk_pack_panel_f32(panelValues, columns, valid, columns, floats + panel * columns * 16)
        }
    }
}

/// Keys and values of one head; the float arrays hold what the kernels see, as [positions, headSize].
struct KeyValueCache {
    let headSize: Int
    let half: Bool
    let keys: AlignedBytes
    let values: AlignedBytes
    let keyFloats: [Float]
    let valueFloats: [Float]

    var stride: Int { (headSize + 15) / 16 * 16 }

    init(positions: Int, headSize: Int, half: Bool, using random: inout Random) {
        (self.headSize, self.half) = (headSize, half)
        let stride = (headSize + 15) / 16 * 16
        func make(_ magnitude: Float) -> (AlignedBytes, [Float]) {
            var plain: [Float] = []
            var padded = [Float](repeating: 0, count: positions * stride)
            for t in 0..<positions {
                for i in 0..<headSize {
                    let value = magnitude * random.float()
                    let seen = half ? tk_f32_from_f16(tk_f16_from_f32(value)) : value
                    plain.append(seen)
                    padded[t * stride + i] = seen
                }
            }
            return (half ? AlignedBytes(padded.map(tk_f16_from_f32)) : AlignedBytes(padded), plain)
        }
        (keys, keyFloats) = make(3)
        (values, valueFloats) = make(1)
    }
}
