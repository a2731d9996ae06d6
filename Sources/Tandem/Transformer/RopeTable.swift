// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels

/// Cosines and sines of one way of rotating, for the positions `0 ..< capacity` of a session.
///
/// Thread safety: `select` and `prepare` alone write; rows may be read from several threads once they are ready.
final class RopeTable {
    /// Pairs of elements that are turned: half the rotary size.
    let half: Int
    private let rope: RopeFrequencies
    private var isLong: Bool
    private let buffer: AlignedBuffer
    private var ready = 0

    init(_ rope: RopeFrequencies, capacity: Int, textLength: Int) throws(TandemError) {
        self.rope = rope
        isLong = rope.isLong(textLength: textLength)
        half = rope.frequencies.count
        guard let bytes = byteProduct(capacity, half, 2, MemoryLayout<Float>.size) else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "the RoPE table")
        }
        buffer = try AlignedBuffer(byteCount: bytes, purpose: "the RoPE table")
    }

    /// Bytes reserved, and of one position.
    var byteCount: Int { buffer.byteCount }
    var rowBytes: Int { half &* 2 &* MemoryLayout<Float>.size }

    /// Takes the frequencies of a text of that many tokens.
    func select(textLength: Int) {
        let wantsLong = rope.isLong(textLength: textLength)
        if wantsLong != isLong { ready = 0 }
        isLong = wantsLong
    }

    /// Computes the rows of positions below `end` that are not there yet.
    func prepare(upTo end: Int) {
        guard ready < end else { return }
        let table = unsafe buffer.pointer(to: Float.self)
        let frequencies = isLong ? rope.longFrequencies : rope.frequencies
        unsafe frequencies.withUnsafeBufferPointer { frequencies in
            guard let base = frequencies.baseAddress else { return }
            for position in ready..<end {
                unsafe tk_rope_row(position, base, half, rope.attentionFactor, table + position &* half &* 2)
            }
        }
        ready = end
    }

    /// The rows, where they stay.
    var rows: RopeRows {
        unsafe RopeRows(base: UnsafePointer(buffer.pointer(to: Float.self)), half: half)
    }
}
