// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Where a pass leaves one session's logits: [rows, stride].
///
/// Thread safety: none; a pass writes while its session waits for it.
final class LogitBuffer {
    let rowCount: Int
    /// Floats between rows: the largest vocabulary of the models, rounded up to 16.
    let stride: Int
    private let buffer: AlignedBuffer

    init(configurations: [ModelConfiguration], rows: Int) throws(TandemError) {
        rowCount = rows
        stride = Self.stride(configurations)
        guard let bytes = byteProduct(rows, stride, 4) else {
            throw .outOfMemory(requestedBytes: Int.max, purpose: "logits")
        }
        buffer = try AlignedBuffer(byteCount: bytes, purpose: "logits")
    }

    static func stride(_ configurations: [ModelConfiguration]) -> Int {
        configurations.reduce(0) { max($0, ($1.vocabularySize + 15) & ~15) }
    }

    /// Bytes of a buffer of that many rows.
    static func byteCount(_ configurations: [ModelConfiguration], rows: Int) -> Int {
        byteProduct(rows, stride(configurations), 4) ?? .max / 8
    }

    var byteCount: Int { buffer.byteCount }

    func row(_ index: Int) -> UnsafeMutablePointer<Float> {
        unsafe buffer.pointer(to: Float.self) + index &* stride
    }
}
