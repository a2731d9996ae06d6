// SPDX-License-Identifier: Apache-2.0

/// One tensor of the container and where it comes from: rows of a stored tensor, perhaps reordered, perhaps plus a
/// constant.
///
/// - A fused matrix gives several of these with different row ranges.
/// - A vector is n rows of one column (``TensorReader``), so ranges and orders apply to its elements.
/// - `offset` is added to every element, in f32: norms that multiply by 1 + w are stored with an offset of 1.
package struct SourceTensor: Sendable {
    package let reader: any TensorReader
    /// The rows of the stored tensor that belong to this one.
    package let storedRows: Range<Int>
    /// Applies inside ``storedRows``.
    package let order: RowOrder
    package let offset: Float

    /// - Parameters:
    ///   - rows: within 0..<`reader.rows`; nil takes them all.
    ///   - order: for `.interleaved` the number of rows must be a multiple of the head size.
    package init(
        _ reader: any TensorReader, rows: Range<Int>? = nil, order: RowOrder = .stored, offset: Float = 0
    ) {
        self.reader = reader
        storedRows = rows ?? 0..<reader.rows
        self.order = order
        self.offset = offset
    }

    /// The file and the stored tensor, as messages name them.
    package var path: String { reader.path }
    package var name: String { reader.name }
    package var typeName: String { reader.typeName }
    package var rows: Int { storedRows.count }
    package var columns: Int { reader.columns }
    /// Bytes of one stored row.
    package var rowLength: Int { reader.rowLength }
    /// Bytes of all stored rows.
    package var length: Int { rows * rowLength }

    /// Reads consecutive rows of this tensor; parameters as in ``TensorReader/read(rows:scratch:into:stride:)``.
    package func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError) {
        let first = storedRows.lowerBound
        if order == .stored {
            try unsafe reader.read(
                rows: first + rows.lowerBound..<first + rows.upperBound, scratch: scratch, into: floats,
                stride: stride)
        } else {
            for (index, row) in rows.enumerated() {
                let source = first + order.source(of: row)
                try unsafe reader.read(
                    rows: source..<source + 1, scratch: scratch, into: floats + index * stride, stride: stride
                )
            }
        }
        guard offset != 0 else { return }
        for row in 0..<rows.count {
            let values = unsafe floats + row * stride
            for column in 0..<columns { unsafe values[column] += offset }
        }
    }
}

/// A vector that the packer computed, such as the inverse frequencies of rotary embeddings.
package struct ComputedVector: TensorReader {
    package let path: String
    package let name: String
    package let values: [Float]

    package init(path: String, name: String, values: [Float]) {
        self.path = path
        self.name = name
        self.values = values
    }

    package var typeName: String { "F32" }
    package var rows: Int { values.count }
    package var columns: Int { 1 }
    package var rowLength: Int { 4 }

    package func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError) {
        for (index, row) in rows.enumerated() { unsafe floats[index * stride] = values[row] }
    }
}
