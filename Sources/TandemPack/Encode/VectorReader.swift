// SPDX-License-Identifier: Apache-2.0

/// Reads vectors, such as norm weights, as floats.
enum VectorReader {
    static func read(_ source: SourceTensor, count: Int) throws(PackError) -> ByteBuffer {
        let raw = ByteBuffer(count: source.length)
        let floats = ByteBuffer(count: count * 4)
        try unsafe source.read(rows: 0..<count, scratch: raw.base, into: floats.floats, stride: 1)
        do throws(WeightFault) {
            _ = try unsafe FloatConversion.largestMagnitude(floats.floats, count: count)
        } catch {
            throw source.located(error, row: 0, format: .f32)
        }
        return floats
    }
}

extension SourceTensor {
    /// A fault with the file, tensor and row where it is.
    func located(_ fault: WeightFault, row: Int, format: WeightFormat) -> PackError {
        switch fault {
        case .nonFinite(let column, let value):
            .nonFiniteWeight(path: path, tensor: name, row: row, column: column, value: "\(value)")
        case .tooLarge(let column, let value):
            .weightTooLarge(
                path: path, tensor: name, row: row, column: column, value: value, format: format.name)
        }
    }
}
