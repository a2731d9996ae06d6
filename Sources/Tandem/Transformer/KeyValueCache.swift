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
/// A table serves every layer that rotates in its way.
///
/// Layout per layer: keys [kvHeads, capacity, stride], then values, with `stride` the head size rounded up to 16;
/// the padding stays zero. The cache itself knows no length: whoever writes positions knows which of them are valid.
///
/// Thread safety: none; a cache belongs to one session.
@safe
final class KeyValueCache {
    let capacity: Int
    let type: KeyValueType
    let headCount: Int
    let headSize: Int
    let stride: Int
    private let buffer: AlignedBuffer
    private let layerBytes: Int
    private let headBytes: Int

    private let ropes: [RopeTable]
    /// The rows of each of `ropes`.
    private let ropeRows: UnsafeMutablePointer<RopeRows>

    /// - Parameter textLength: tokens of the text to come, for RoPE that depends on it.
    init(weights: some ModelOutlining, capacity: Int, type: KeyValueType, textLength: Int)
        throws(TandemError)
    {
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
        var ropes: [RopeTable] = []
        for rope in weights.ropes {
            ropes.append(try RopeTable(rope, capacity: capacity, textLength: textLength))
        }
        self.ropes = ropes
        unsafe ropeRows = .allocate(capacity: max(1, ropes.count))
        for (index, table) in ropes.enumerated() { unsafe (ropeRows + index).initialize(to: table.rows) }
    }

    deinit {
        unsafe ropeRows.deallocate()
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

    /// What a pass reads and writes; valid as long as the cache.
    var view: CacheView {
        unsafe CacheView(
            base: buffer.base, layerBytes: layerBytes, headBytes: headBytes, headCount: headCount,
            headSize: headSize, stride: stride, type: type, ropes: UnsafePointer(ropeRows))
    }

    /// Makes the RoPE rows of positions below `end` ready; call before they are read.
    func prepareRope(upTo end: Int) {
        for table in ropes { table.prepare(upTo: end) }
    }

    /// Takes the frequencies of a text of that many tokens; what the cache holds is void where they change.
    func selectRope(textLength: Int) {
        for table in ropes { table.select(textLength: textLength) }
    }
}
