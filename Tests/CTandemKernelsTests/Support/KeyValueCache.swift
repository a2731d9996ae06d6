// SPDX-License-Identifier: Apache-2.0

import CTandemKernels

/// Element types of caches.
enum CacheType: CaseIterable {
    case f32, f16, i8

    var kernelType: Int32 {
        switch self {
        case .f32: TK_KV_F32
        case .f16: TK_KV_F16
        case .i8: TK_KV_I8
        }
    }
}

/// Keys and values of one head; the float arrays hold what the kernels see, as [positions, headSize].
struct KeyValueCache {
    /// Keys or values.
    struct Plane: Equatable {
        let bytes: AlignedBytes
        /// Of i8 codes, else empty.
        let scales: [UInt16]
        let floats: [Float]

        static func == (a: Plane, b: Plane) -> Bool {
            unsafe a.bytes.bytes.elementsEqual(b.bytes.bytes) && a.scales == b.scales
        }
    }

    let headSize: Int
    let type: CacheType
    let keys: Plane
    let values: Plane

    var stride: Int {
        let unit = type == .i8 ? 32 : 16
        return (headSize + unit - 1) / unit * unit
    }

    init(positions: Int, headSize: Int, type: CacheType, using random: inout Random) {
        let keys = (0..<positions * headSize).map { _ in 3 * random.float() }
        let values = (0..<positions * headSize).map { _ in random.float() }
        self.init(keys: keys, values: values, headSize: headSize, type: type)
    }

    /// - Parameter table: who stores i8 keys and values.
    init(keys: [Float], values: [Float], headSize: Int, type: CacheType, table: Table = .scalar) {
        (self.headSize, self.type) = (headSize, type)
        if type == .i8 {
            self.keys = table.stored(keys, headSize: headSize, asKeys: true)
            self.values = table.stored(values, headSize: headSize, asKeys: false)
        } else {
            self.keys = Self.plain(keys, headSize: headSize, half: type == .f16)
            self.values = Self.plain(values, headSize: headSize, half: type == .f16)
        }
    }

    private static func plain(_ vectors: [Float], headSize: Int, half: Bool) -> Plane {
        let positions = vectors.count / headSize
        let stride = (headSize + 15) / 16 * 16
        let seen = half ? vectors.map { tk_f32_from_f16(tk_f16_from_f32($0)) } : vectors
        var padded = [Float](repeating: 0, count: positions * stride)
        for t in 0..<positions {
            for i in 0..<headSize { padded[t * stride + i] = seen[t * headSize + i] }
        }
        let bytes = half ? AlignedBytes(padded.map(tk_f16_from_f32)) : AlignedBytes(padded)
        return Plane(bytes: bytes, scales: [], floats: seen)
    }
}

extension Table {
    /// Vectors [positions, headSize] stored one after the other in an i8 cache, whose unused parts are garbage.
    func stored(_ vectors: [Float], headSize: Int, asKeys: Bool) -> KeyValueCache.Plane {
        let positions = vectors.count / headSize
        let (padded, blocks) = ((positions + 15) / 16 * 16, (headSize + 31) / 32)
        let stride = blocks * 32
        var codes = [Int8](repeating: 0x55, count: padded * stride)
        var scales = [UInt16](repeating: 0x7FFF, count: padded * blocks)
        let kernels = unsafe tk_isa_at(index).pointee
        for t in 0..<positions {
            let vector = Array(vectors[t * headSize..<(t + 1) * headSize])
            let store = unsafe asKeys ? kernels.store_keys_i8 : kernels.store_values_i8
            unsafe store?(vector, headSize, t, &codes, &scales)
        }
        // Read back as the layout says, independently of the kernels.
        let floats = (0..<positions * headSize).map { index in
            let (t, i) = (index / headSize, index % headSize)
            let inPanel = i / 4 * 64 + t % 16 * 4 + i % 4
            let code = codes[asKeys ? t / 16 * 16 * stride + inPanel : t * stride + i]
            return Float(code) * tk_f32_from_f16(scales[(t / 16 * blocks + i / 32) * 16 + t % 16])
        }
        return KeyValueCache.Plane(bytes: AlignedBytes(codes), scales: scales, floats: floats)
    }
}
