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
