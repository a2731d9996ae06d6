// SPDX-License-Identifier: Apache-2.0

/// Consecutive rows or columns of a smaller tensor and where they stand in the larger one.
struct Placement: Sendable {
    let source: Int
    let target: Int
    let count: Int
}

/// A tensor placed into a larger one, block by block; fillers take the rest.
struct PlacedTensor: TensorReader {
    let source: SourceTensor
    let rows: Int
    let columns: Int
    let rowBlocks: [Placement]
    let columnBlocks: [Placement]
    /// For rows outside all blocks.
    let otherRows: Filler
    /// For columns outside all blocks, in rows that have a source.
    let otherColumns: Filler
    /// Multiplies what comes from the source.
    var factor: Float = 1

    var path: String { source.path }
    var name: String { source.name }
    var typeName: String { source.typeName }
    var rowLength: Int { max(source.rowLength, columns * 2) }

    func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError) {
        var part = [Float](repeating: 0, count: source.columns)
        for (index, row) in rows.enumerated() {
            let target = unsafe floats + index * stride
            guard let block = rowBlocks.first(where: { $0.target <= row && row < $0.target + $0.count })
            else {
                unsafe otherRows.fill(target, count: columns, row: row)
                continue
            }
            let stored = block.source + row - block.target
            try unsafe withUnsafeMutableFloats(&part) { (pointer) throws(PackError) in
                try unsafe source.read(
                    rows: stored..<stored + 1, scratch: scratch, into: pointer, stride: source.columns)
            }
            unsafe otherColumns.fill(target, count: columns, row: row)
            for place in columnBlocks {
                for column in 0..<place.count {
                    unsafe target[place.target + column] = part[place.source + column] * factor
                }
            }
        }
    }
}

/// Typed throws through an array's storage.
private func withUnsafeMutableFloats(
    _ array: inout [Float], _ body: (UnsafeMutablePointer<Float>) throws(PackError) -> Void
) throws(PackError) {
    var failure: PackError?
    unsafe array.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        do throws(PackError) { try unsafe body(base) } catch { failure = error }
    }
    if let failure { throw failure }
}
