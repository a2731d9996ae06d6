// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels

/// Cosines and sines of one way of rotating, for the positions `0 ..< capacity` of a session.
///
/// Thread safety: `prepare` alone writes; rows may be read from several threads once they are ready.
final class RopeTable {
    /// Pairs of elements that are turned: half the rotary size.
    let half: Int
    private let frequencies: [Float]
    private let factor: Float
    private let buffer: AlignedBuffer
    private var ready = 0

    init(_ rope: RopeFrequencies, capacity: Int) throws(TandemError) {
        frequencies = rope.frequencies(contextSize: capacity)
        factor = rope.attentionFactor
        half = frequencies.count
        guard let bytes = byteProduct(capacity, half, 2, MemoryLayout<Float>.size) else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "the RoPE table")
        }
        buffer = try AlignedBuffer(byteCount: bytes, purpose: "the RoPE table")
    }

    /// Computes the rows of positions below `end` that are not there yet.
    func prepare(upTo end: Int) {
        guard ready < end else { return }
        let table = unsafe buffer.pointer(to: Float.self)
        unsafe frequencies.withUnsafeBufferPointer { frequencies in
            guard let base = frequencies.baseAddress else { return }
            for position in ready..<end {
                unsafe tk_rope_row(position, base, half, factor, table + position &* half &* 2)
            }
        }
        ready = end
    }

    /// Cosines, then sines, of one position.
    func row(_ position: Int) -> UnsafePointer<Float> {
        unsafe UnsafePointer(buffer.pointer(to: Float.self) + position &* half &* 2)
    }
}
