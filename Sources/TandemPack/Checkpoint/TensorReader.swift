// SPDX-License-Identifier: Apache-2.0

/// Gives the rows of one stored tensor as floats: what a checkpoint format implements, once per element encoding.
///
/// A tensor is a matrix [rows, columns]; a vector of n elements is stored as n rows of one column, so that a range of
/// rows is a range of elements. Nothing is read before ``read(rows:scratch:into:stride:)``, and no call reads more than
/// it was asked for: the packer bounds memory by asking for few rows at a time.
///
/// Thread safety: reads may run concurrently, each with its own buffers.
package protocol TensorReader: Sendable {
    /// The file that messages name.
    var path: String { get }
    /// The tensor's name in that file.
    var name: String { get }
    /// The element encoding's name, for reports: "BF16", "Q4_K".
    var typeName: String { get }
    var rows: Int { get }
    var columns: Int { get }
    /// Bytes of one stored row.
    var rowLength: Int { get }

    /// Reads consecutive rows.
    ///
    /// - Parameters:
    ///   - rows: within 0..<``rows``.
    ///   - scratch: room for `rows.count` · ``rowLength`` bytes, 64-byte aligned, for the stored bytes.
    ///   - floats: row i goes to `floats + i * stride` and fills ``columns`` elements; what lies between stays.
    ///   - stride: at least ``columns``.
    func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError)
}

/// The order in which a checkpoint stores the rows of a matrix.
package enum RowOrder: Sendable, Equatable {
    /// As the container wants them.
    case stored
    /// Inside each head of `headSize` rows, rows i and i + headSize/2 stand side by side, as 2i and 2i + 1: llama's own
    /// order of queries and keys, for rotary embeddings that turn neighbours.
    case interleaved(headSize: Int)

    /// The stored row that is row `row` of the container.
    package func source(of row: Int) -> Int {
        switch self {
        case .stored: return row
        case .interleaved(let size):
            let (head, index) = row.quotientAndRemainder(dividingBy: size)
            let half = size / 2
            return head * size + (index < half ? 2 * index : 2 * (index - half) + 1)
        }
    }
}
