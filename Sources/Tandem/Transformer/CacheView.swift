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
    /// Bytes of a head before its scales.
    let codeBytes: Int
    let headCount: Int
    let layout: KeyValueLayout
    let ropes: UnsafePointer<RopeRows>

    /// Keys of one head.
    func keys(layer: Int, head: Int) -> KeyValuePlane { plane(layer: layer, index: head) }

    /// Values of one head.
    func values(layer: Int, head: Int) -> KeyValuePlane { plane(layer: layer, index: headCount &+ head) }

    /// Keys or values of one head: the keys of every head of a layer, then the values.
    func plane(layer: Int, index: Int) -> KeyValuePlane {
        let codes = unsafe base + (layer &* layerBytes &+ index &* headBytes)
        return unsafe KeyValuePlane(codes: codes, scales: codes + codeBytes)
    }

    /// Stores one position's key or value vectors [kvHeads * headSize].
    func store(
        _ vectors: UnsafePointer<Float>, position: Int, layer: Int, values wantsValues: Bool,
        kernels: tk_kernels
    ) {
        for head in 0..<headCount {
            let plane = wantsValues ? values(layer: layer, head: head) : keys(layer: layer, head: head)
            let headSize = layout.headSize
            let source = unsafe vectors + head &* headSize
            let target = unsafe plane.codes + position &* layout.stride &* layout.elementBytes
            switch layout.type {
            case .f32:
                unsafe target.copyMemory(from: source, byteCount: headSize &* 4)
            case .f16:
                unsafe kernels.f16_from_f32(source, headSize, target.assumingMemoryBound(to: UInt16.self))
            case .int8:
                let store = unsafe wantsValues ? kernels.store_values_i8 : kernels.store_keys_i8
                unsafe store?(
                    source, headSize, position, plane.codes.assumingMemoryBound(to: Int8.self),
                    plane.scaleValues)
            }
        }
    }

    /// Copies what one head keeps of a position to another position.
    func copy(from source: Int, to target: Int, layer: Int, head: Int) {
        let scales = layout.scaleOffset(target) &- layout.scaleOffset(source)
        for (plane, inKeys) in [
            (keys(layer: layer, head: head), true), (values(layer: layer, head: head), false),
        ] {
            let codes =
                layout.codeOffset(target, inKeys: inKeys) &- layout.codeOffset(source, inKeys: inKeys)
            layout.forEachPiece(ofPosition: source, inKeys: inKeys) { piece in
                let from = unsafe plane.bytes(of: piece)
                unsafe (from + (piece.isScale ? scales : codes)).copyMemory(
                    from: from, byteCount: piece.byteCount)
            }
        }
    }

    /// The rows of one of the model's ways of rotating; `nil` for `nil`, no rotation.
    func ropeRows(_ index: Int?) -> RopeRows? {
        guard let index else { return nil }
        return unsafe ropes[index]
    }
}

/// Keys or values of one head.
@safe
struct KeyValuePlane {
    /// Elements, as ``KeyValueLayout`` says.
    let codes: UnsafeMutableRawPointer
    /// Scales of int8 elements; the end of the others.
    let scales: UnsafeMutableRawPointer

    var scaleValues: UnsafeMutablePointer<UInt16> { unsafe scales.assumingMemoryBound(to: UInt16.self) }

    func bytes(of piece: KeyValueLayout.Piece) -> UnsafeMutableRawPointer {
        unsafe (piece.isScale ? scales : codes) + piece.offset
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
