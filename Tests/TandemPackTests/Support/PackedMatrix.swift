// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import TandemFormat
import Testing

/// A matrix of a packed file, dequantised with the kernels' own reference.
struct PackedMatrix {
    private let descriptor: TensorDescriptor
    private let chunk: ChunkBytes

    init(_ file: TandemFile, _ name: String) throws {
        descriptor = try #require(file.tensor(named: name))
        chunk = try file.bytes(ofChunk: descriptor.chunk)
    }

    /// Columns that share a scale.
    var group: Int { descriptor.groupSize }

    func rows() throws -> [[Float]] {
        let columns = descriptor.columns
        return (0..<descriptor.rows).map { row in
            var floats = [Float](repeating: .nan, count: columns)
            let data = unsafe chunk.baseAddress + descriptor.dataOffset
            let padded = descriptor.paddedColumns
            switch descriptor.encoding {
            case .panelI8: unsafe tk_gather_i8(data, scales, padded, group, row, columns, &floats)
            case .panelI4: unsafe tk_gather_i4(data, scales, padded, group, row, columns, &floats)
            case .panelI4Z: unsafe tk_gather_i4z(data, scales, padded, group, row, columns, &floats)
            default:
                unsafe tk_gather_f32(data.assumingMemoryBound(to: Float.self), padded, row, columns, &floats)
            }
            return floats
        }
    }

    /// The scale of one element.
    func scale(row: Int, column: Int) -> Float {
        let groups = descriptor.paddedColumns / group
        let index = (row / 16) * groups * 16 + (column / group) * 16 + row % 16
        return unsafe tk_f32_from_f16(scales[index])
    }

    private var scales: UnsafePointer<UInt16> {
        unsafe (chunk.baseAddress + descriptor.scalesOffset).assumingMemoryBound(to: UInt16.self)
    }

    static func vector(_ file: TandemFile, _ name: String) throws -> [Float] {
        let descriptor = try #require(file.tensor(named: name))
        let chunk = try file.bytes(ofChunk: descriptor.chunk)
        let floats = unsafe (chunk.baseAddress + descriptor.dataOffset).assumingMemoryBound(to: Float.self)
        return unsafe Array(UnsafeBufferPointer(start: floats, count: descriptor.columns))
    }
}
