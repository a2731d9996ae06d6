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
