// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels

/// The parts of a ``KeyValueCache`` that a pass needs, without the cost of references.
///
/// Thread safety: none; the session that owns the cache waits while a pass uses it.
@safe
struct CacheView {
    let base: UnsafeMutableRawPointer
    let layerBytes: Int
    let headBytes: Int
    let headCount: Int
    let headSize: Int
    let stride: Int
    let type: KeyValueType
    let ropes: UnsafePointer<RopeRows>

    /// As ``KeyValueCache/keys(layer:head:)``.
    func keys(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        unsafe base + (layer &* layerBytes &+ head &* headBytes)
    }

    /// As ``KeyValueCache/values(layer:head:)``.
    func values(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        unsafe base + (layer &* layerBytes &+ (headCount &+ head) &* headBytes)
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

    /// The rows of one of the model's ways of rotating; `nil` for `nil`, no rotation.
    func ropeRows(_ index: Int?) -> RopeRows? {
        guard let index else { return nil }
        return unsafe ropes[index]
    }
}

/// Cosines and sines by position.
@safe
struct RopeRows {
    let base: UnsafePointer<Float>
    /// Pairs of elements that are turned.
    let half: Int

    /// Cosines, then sines, of one position.
    func row(_ position: Int) -> UnsafePointer<Float> {
        unsafe base + position &* half &* 2
    }
}
