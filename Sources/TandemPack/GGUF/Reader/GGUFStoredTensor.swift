// SPDX-License-Identifier: Apache-2.0

/// A tensor of a GGUF file as the packer reads it.
///
/// Tensors of three and four dimensions count as matrices: their last dimension is that of the columns.
package struct GGUFStoredTensor: TensorReader {
    package let file: InputFile
    package let tensor: GGUFTensor

    package var path: String { file.path }
    package var name: String { tensor.name }
    package var typeName: String { tensor.type.name }
    /// A vector has a row for each element.
    package var rows: Int {
        isVector ? tensor.columns : tensor.shape.dropLast().reduce(1, *)
    }
    package var columns: Int { isVector ? 1 : tensor.columns }
    package var rowLength: Int {
        isVector ? tensor.type.blockLength / tensor.type.blockSize : tensor.type.rowLength(columns: columns)
    }

    private var isVector: Bool { tensor.shape.count < 2 }

    /// Checks that the weights can be unpacked; those of a vector must not come in blocks.
    package func checkType() throws(PackError) {
        let isReadable = tensor.type.packing != nil && (!isVector || tensor.type.blockSize == 1)
        guard isReadable else {
            let supported = isVector ? ["F32", "F16", "BF16"] : GGMLType.packable
            throw .gguf(
                path: path,
                issue: .unsupportedTensorType(tensor: name, type: typeName, supported: supported))
        }
    }

    package func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError) {
        guard let packing = tensor.type.packing else { return try checkType() }
        try unsafe file.read(
            at: tensor.offset + rows.lowerBound * rowLength,
            into: UnsafeMutableRawBufferPointer(start: scratch, count: rows.count * rowLength))
        // Rows without a gap are one run.
        let (runs, length) = stride == columns ? (1, rows.count * columns) : (rows.count, columns)
        for run in 0..<runs {
            unsafe Dequantizer.convert(
                scratch + run * rowLength, packing: packing, count: length, to: floats + run * stride)
        }
    }

    /// All elements of a small vector.
    func vector(limit: Int) throws(PackError) -> [Float] {
        try checkType()
        guard isVector, rows <= limit else {
            throw .wrongShape(path: path, tensor: name, found: tensor.shape, expected: [limit])
        }
        let scratch = ByteBuffer(count: rows * rowLength)
        let floats = ByteBuffer(count: rows * 4)
        try unsafe read(rows: 0..<rows, scratch: scratch.base, into: floats.floats, stride: 1)
        return (0..<rows).map { unsafe floats.floats[$0] }
    }
}
