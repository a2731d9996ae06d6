// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import Testing

/// One instruction set's table, with its functions as value-in, value-out methods on arrays.
struct Table: Sendable, CustomTestStringConvertible {
    let index: Int

    static let scalar = Table(index: 0)
    static let all = (0..<tk_isa_count()).map(Table.init(index:))

    var name: String { unsafe String(cString: tk_isa_at(index).pointee.name) }
    var testDescription: String { name }

    private var kernels: tk_kernels { unsafe tk_isa_at(index).pointee }

    func rmsnorm(_ x: [Float], weight: [Float], epsilon: Float) -> [Float] {
        var y = [Float](repeating: .nan, count: x.count)
        unsafe kernels.rmsnorm(x, weight, epsilon, x.count, &y)
        return y
    }

    func rope(_ x: [Float], heads: Int, stride: Int, half: Int, cosSin: [Float]) -> [Float] {
        var x = x
        unsafe kernels.rope(&x, heads, stride, half, cosSin)
        return x
    }

    func swiglu(gate: [Float], up: [Float]) -> [Float] {
        var y = [Float](repeating: .nan, count: gate.count)
        unsafe kernels.swiglu(gate, up, gate.count, &y)
        return y
    }

    func geglu(gate: [Float], up: [Float]) -> [Float] {
        var y = [Float](repeating: .nan, count: gate.count)
        unsafe kernels.geglu(gate, up, gate.count, &y)
        return y
    }

    func addScaled(_ x: [Float], factor: Float, _ y: [Float]) -> [Float] {
        var x = x
        unsafe kernels.add_scaled(&x, factor, y, x.count)
        return x
    }

    func scale(_ x: [Float], by factor: Float) -> [Float] {
        var x = x
        unsafe kernels.scale(&x, factor, x.count)
        return x
    }

    func softcap(_ x: [Float], cap: Float) -> [Float] {
        var x = x
        unsafe kernels.softcap(&x, cap, x.count)
        return x
    }

    func add(_ x: [Float], _ y: [Float]) -> [Float] {
        var x = x
        unsafe kernels.add(&x, y, x.count)
        return x
    }

    func softmax(_ x: [Float], inverseTemperature: Float) -> [Float] {
        var x = x
        unsafe kernels.softmax(&x, x.count, inverseTemperature)
        return x
    }

    func argmax(_ x: [Float]) -> Int { unsafe kernels.argmax(x, x.count) }

    func float(fromHalf x: [UInt16]) -> [Float] {
        var y = [Float](repeating: 0, count: x.count)
        unsafe kernels.f32_from_f16(x, x.count, &y)
        return y
    }

    func half(fromFloat x: [Float]) -> [UInt16] {
        var y = [UInt16](repeating: 0, count: x.count)
        unsafe kernels.f16_from_f32(x, x.count, &y)
        return y
    }

    func float(fromBFloat x: [UInt16]) -> [Float] {
        var y = [Float](repeating: 0, count: x.count)
        unsafe kernels.f32_from_bf16(x, x.count, &y)
        return y
    }

    func quantize(_ x: [Float], rows: Int, columns: Int, paddedColumns: Int, group: Int) -> Activations {
        var result = Activations(rows: rows, paddedColumns: paddedColumns, group: group)
        let groups = paddedColumns / group
        unsafe kernels.quantize(
            x, columns, rows, columns, paddedColumns, group, &result.q, paddedColumns, &result.scales,
            &result.sums, groups)
        return result
    }

    /// y[rows, 16 * panels] of the panels in `panels`; other columns keep the value -1. Activations are `interleaved` where
    /// the table reads that.
    func product(
        _ x: Activations, _ w: QuantisedMatrix, panels: Range<Int>? = nil, rows: Range<Int>? = nil,
        interleaved: Bool = true
    ) -> [Float] {
        let rows = rows ?? 0..<x.rows
        let panels = panels ?? 0..<w.panelCount
        var y = [Float](repeating: -1, count: rows.count * w.panelCount * 16)
        unsafe x.q.withUnsafeBufferPointer { q in
            unsafe x.scales.withUnsafeBufferPointer { scales in
                unsafe x.sums.withUnsafeBufferPointer { sums in
                    unsafe y.withUnsafeMutableBufferPointer { y in
                        var arguments = unsafe tk_qgemm(
                            q: q.baseAddress?.advanced(by: rows.lowerBound * x.paddedColumns),
                            ldq: x.paddedColumns,
                            scales: scales.baseAddress?.advanced(by: rows.lowerBound * x.groups),
                            sums: sums.baseAddress?.advanced(by: rows.lowerBound * x.groups), lds: x.groups,
                            rows: rows.count, w: w.panels.bytes.baseAddress, wscales: w.scales.base,
                            kp: w.paddedColumns, ga: x.group, gw: w.group, y: y.baseAddress,
                            ldy: w.panelCount * 16, interleaved: nil)
                        let bytes = tk_interleaved_bytes(rows.count, w.paddedColumns, x.group)
                        let lines = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
                        defer { unsafe lines.deallocate() }
                        if interleaved, w.kind == .i8, bytes > 0, let interleave = unsafe kernels.interleave {
                            unsafe interleave(&arguments, lines)
                            unsafe arguments.interleaved = UnsafeRawPointer(lines)
                        }
                        switch w.kind {
                        case .i8: unsafe kernels.gemm_i8(&arguments, panels.lowerBound, panels.upperBound)
                        case .i4: unsafe kernels.gemm_i4(&arguments, panels.lowerBound, panels.upperBound)
                        case .i4z: unsafe kernels.gemm_i4z(&arguments, panels.lowerBound, panels.upperBound)
                        }
                    }
                }
            }
        }
        return y
    }

    func product(_ x: [Float], rows: Int, _ w: FloatMatrix, panels: Range<Int>? = nil) -> [Float] {
        let panels = panels ?? 0..<w.panelCount
        var y = [Float](repeating: -1, count: rows * w.panelCount * 16)
        unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeMutableBufferPointer { y in
                var arguments = unsafe tk_fgemm(
                    x: x.baseAddress, ldx: w.columns, rows: rows, w: w.panels.floats, k: w.columns,
                    y: y.baseAddress, ldy: w.panelCount * 16)
                unsafe kernels.gemm_f32(&arguments, panels.lowerBound, panels.upperBound)
            }
        }
        return y
    }

    /// Output [rows, heads, headSize] for queries of the same shape; the first row sees `visible`, each later one a
    /// position more, and of these the last `window`.
    func attention(
        _ q: [Float], rows: Int = 1, heads: Int, cache: KeyValueCache, visible: Range<Int>, scale: Float,
        window: Int = 0, softcap: Float = 0
    ) -> [Float] {
        let padded = (visible.upperBound + rows - 1 + 15) / 16 * 16 - visible.lowerBound / 16 * 16
        let scratch = cache.type == .i8 ? tk_kv_scratch(cache.headSize) : 0
        var scores = [Float](repeating: .nan, count: rows * heads * padded + scratch)
        var out = [Float](repeating: .nan, count: rows * heads * cache.headSize)
        unsafe cache.keys.scales.withUnsafeBufferPointer { keyScales in
            unsafe cache.values.scales.withUnsafeBufferPointer { valueScales in
                unsafe q.withUnsafeBufferPointer { q in
                    unsafe scores.withUnsafeMutableBufferPointer { scores in
                        unsafe out.withUnsafeMutableBufferPointer { out in
                            var arguments = unsafe tk_attention(
                                q: q.baseAddress, ldq: cache.headSize, heads: heads, hd: cache.headSize,
                                k: cache.keys.bytes.bytes.baseAddress,
                                v: cache.values.bytes.bytes.baseAddress,
                                type: cache.type.kernelType, stride: cache.stride,
                                begin: visible.lowerBound,
                                end: visible.upperBound, scale: scale, scores: scores.baseAddress,
                                out: out.baseAddress, ldo: cache.headSize,
                                rows: rows, qrow: heads * cache.headSize, orow: heads * cache.headSize,
                                window: window,
                                softcap: softcap, kscales: keyScales.baseAddress,
                                vscales: valueScales.baseAddress)
                            unsafe kernels.attention(&arguments)
                        }
                    }
                }
            }
        }
        return out
    }
}

/// Quantised activations as the kernels lay them out.
struct Activations: Equatable {
    var q: [Int8]
    var scales: [Float]
    var sums: [Int32]
    let rows: Int
    let paddedColumns: Int
    let group: Int
    var groups: Int { paddedColumns / group }

    init(rows: Int, paddedColumns: Int, group: Int) {
        (self.rows, self.paddedColumns, self.group) = (rows, paddedColumns, group)
        q = [Int8](repeating: 99, count: rows * paddedColumns)
        scales = [Float](repeating: -1, count: rows * paddedColumns / group)
        sums = [Int32](repeating: -1, count: rows * paddedColumns / group)
    }
}
