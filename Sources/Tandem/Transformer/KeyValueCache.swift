// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// Element type of a key/value cache.
public enum KeyValueType: String, Sendable, CaseIterable {
    /// 32-bit floats.
    case f32
    /// 16-bit floats: half the memory, a relative error of 2⁻¹¹ per element.
    case f16

    var elementBytes: Int { self == .f32 ? 4 : 2 }
    var kernelType: Int32 { self == .f32 ? TK_KV_F32 : TK_KV_F16 }
}

/// Keys and values of one model for the positions `0 ..< capacity`, and the RoPE tables of those positions.
///
/// Layout per layer: keys [kvHeads, capacity, stride], then values, with `stride` the head size rounded up to 16;
/// the padding stays zero. The cache itself knows no length: whoever writes positions knows which of them are valid.
///
/// Thread safety: none; a cache belongs to one session.
final class KeyValueCache {
    let capacity: Int
    let type: KeyValueType
    let headCount: Int
    let headSize: Int
    let stride: Int
    private let buffer: AlignedBuffer
    private let layerBytes: Int
    private let headBytes: Int

    private let ropeTable: AlignedBuffer
    private let ropeHalf: Int
    private let ropeFrequencies: [Float]
    private var ropeReady = 0

    init(weights: TransformerWeights, capacity: Int, type: KeyValueType) throws(TandemError) {
        let configuration = weights.configuration
        self.capacity = capacity
        self.type = type
        headCount = configuration.keyValueHeadCount
        headSize = configuration.headSize
        stride = (configuration.headSize + 15) & ~15
        guard let headBytes = byteProduct(capacity, stride, type.elementBytes),
            let layerBytes = byteProduct(headBytes, headCount, 2),
            let total = byteProduct(layerBytes, configuration.layerCount)
        else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "the key/value cache")
        }
        self.headBytes = headBytes
        self.layerBytes = layerBytes
        buffer = try AlignedBuffer(byteCount: total, purpose: "the key/value cache")
        ropeHalf = configuration.headSize / 2
        ropeFrequencies = weights.ropeFrequencies
        ropeTable = try AlignedBuffer(
            byteCount: capacity * ropeHalf * 2 * MemoryLayout<Float>.size, purpose: "the RoPE table")
    }

    /// Bytes reserved (touched only as positions are written).
    var byteCount: Int { buffer.byteCount }

    /// Keys of one head: [capacity, stride].
    func keys(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        unsafe buffer.base + (layer &* layerBytes &+ head &* headBytes)
    }

    /// Values of one head: [capacity, stride].
    func values(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        unsafe buffer.base + (layer &* layerBytes &+ (headCount &+ head) &* headBytes)
    }

    /// Stores one position's key or value vectors [kvHeads * headSize].
    func store(
        _ vectors: UnsafePointer<Float>, position: Int, layer: Int, values wantsValues: Bool,
        kernels: tk_kernels
    ) {
        for head in 0..<headCount {
            let base = unsafe wantsValues ? values(layer: layer, head: head) : keys(layer: layer, head: head)
            let source = unsafe vectors + head &* headSize
            let target = unsafe base + position &* stride &* type.elementBytes
            switch type {
            case .f32:
                unsafe target.copyMemory(from: source, byteCount: headSize &* 4)
            case .f16:
                unsafe kernels.f16_from_f32(source, headSize, target.assumingMemoryBound(to: UInt16.self))
            }
        }
    }

    /// Makes the RoPE rows of positions below `end` ready; call before ``ropeRow(_:)``.
    func prepareRope(upTo end: Int) {
        guard ropeReady < end else { return }
        let table = unsafe ropeTable.pointer(to: Float.self)
        unsafe ropeFrequencies.withUnsafeBufferPointer { frequencies in
            guard let base = frequencies.baseAddress else { return }
            for position in ropeReady..<end {
                unsafe tk_rope_row(position, base, ropeHalf, 1, table + position &* ropeHalf &* 2)
            }
        }
        ropeReady = end
    }

    /// Cosines, then sines, of one position.
    func ropeRow(_ position: Int) -> UnsafePointer<Float> {
        unsafe UnsafePointer(ropeTable.pointer(to: Float.self) + position &* ropeHalf &* 2)
    }
}
