// SPDX-License-Identifier: Apache-2.0

import TandemPack
import Testing

/// What a checkpoint format plugs into the packer.
@Suite("Source tensors")
struct SourceTensorTests {
    /// A stored matrix whose element (n, k) is 1000 n + k; records how many rows it was asked for at once.
    private struct Numbered: TensorReader {
        let path = "numbers"
        let name = "matrix"
        let typeName = "F32"
        let rows: Int
        let columns: Int
        var rowLength: Int { columns * 4 }

        func read(
            rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
            stride: Int
        ) throws(PackError) {
            guard rows.lowerBound >= 0, rows.upperBound <= self.rows else {
                throw .shrunkWhileReading(path: path, offset: rows.upperBound)
            }
            for (index, row) in rows.enumerated() {
                for column in 0..<columns {
                    unsafe floats[index * stride + column] = Float(1000 * row + column)
                }
            }
        }
    }

    /// All rows, read a few at a time with a gap between them that must stay as it is.
    private func read(_ tensor: SourceTensor, step: Int) throws -> [[Float]] {
        let stride = tensor.columns + 3
        var result: [[Float]] = []
        var scratch = [UInt8](repeating: 0, count: step * tensor.rowLength)
        for first in Swift.stride(from: 0, to: tensor.rows, by: step) {
            let rows = first..<min(first + step, tensor.rows)
            var floats = [Float](repeating: -1, count: step * stride)
            try unsafe scratch.withUnsafeMutableBytes { scratch in
                try unsafe floats.withUnsafeMutableBufferPointer { floats in
                    guard let bytes = scratch.baseAddress, let base = floats.baseAddress
                    else { return }
                    try unsafe tensor.read(rows: rows, scratch: bytes, into: base, stride: stride)
                }
            }
            for index in 0..<rows.count {
                result.append(Array(floats[index * stride..<index * stride + tensor.columns]))
                #expect(
                    floats[index * stride + tensor.columns..<(index + 1) * stride].allSatisfy { $0 == -1 })
            }
        }
        return result
    }

    @Test(arguments: [1, 5, 16])
    func rowRanges(step: Int) throws {
        let tensor = SourceTensor(Numbered(rows: 40, columns: 3), rows: 7..<29)
        #expect(tensor.rows == 22 && tensor.columns == 3 && tensor.length == 22 * 12)
        let rows = try read(tensor, step: step)
        #expect(rows == (7..<29).map { row in (0..<3).map { Float(1000 * row + $0) } })
    }

    @Test func offsets() throws {
        let rows = try read(SourceTensor(Numbered(rows: 4, columns: 1), offset: 1), step: 4)
        #expect(rows == [[1], [1001], [2001], [3001]])
    }

    /// llama's converters store row (h, i, half) of a head at (h, half, i): reading undoes it, head by head.
    @Test(arguments: [(16, 4), (24, 8), (12, 6), (6, 2)])
    func interleavedRows(rows: Int, headSize: Int) throws {
        let half = headSize / 2
        var stored = [Int](repeating: -1, count: rows)
        for head in 0..<rows / headSize {
            for index in 0..<half {
                for part in 0..<2 {
                    stored[head * headSize + 2 * index + part] = head * headSize + part * half + index
                }
            }
        }
        let order = RowOrder.interleaved(headSize: headSize)
        #expect((0..<rows).map { stored[order.source(of: $0)] } == Array(0..<rows))
        #expect((0..<rows).map { RowOrder.stored.source(of: $0) } == Array(0..<rows))

        let tensor = SourceTensor(Numbered(rows: rows + 3, columns: 2), rows: 3..<rows + 3, order: order)
        let found = try read(tensor, step: 5).map { Int($0[0]) / 1000 - 3 }
        #expect(found.map { stored[$0] } == Array(0..<rows))
    }

    @Test func computedVectors() throws {
        let vector = ComputedVector(path: "p", name: "n", values: [0.5, 0.25, 0.125, 8])
        #expect(try read(SourceTensor(vector, rows: 1..<4, offset: 2), step: 2) == [[2.25], [2.125], [10]])
    }

    @Test func errorsComeThrough() {
        let tensor = SourceTensor(Numbered(rows: 4, columns: 1), rows: 2..<6)
        #expect(throws: PackError.shrunkWhileReading(path: "numbers", offset: 6)) {
            try read(tensor, step: 4)
        }
    }
}
