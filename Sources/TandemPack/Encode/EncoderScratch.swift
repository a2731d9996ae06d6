// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// What one thread needs while it encodes: the rows of one panel on their way from the source to the container.
@safe final class EncoderScratch: Sendable {
    /// A panel's rows as the source has them, as floats and as integers, each padded.
    let source: ByteBuffer
    let floats: ByteBuffer
    let values: ByteBuffer
    private let stride: Int
    private let gridBuffer: ByteBuffer
    private let groupCount: Int
    // For compensated rounding.
    private let factorBuffer: ByteBuffer
    private let largestBuffer: ByteBuffer
    private let windowBuffer: ByteBuffer
    private let targetBuffer: ByteBuffer
    private let targetStride: Int
    private let errorBuffer: ByteBuffer
    private let errorStride: Int
    private let differenceBuffer: ByteBuffer

    init(encoder: TensorEncoder) {
        let rows = TensorLayout.panelRows
        let layout = encoder.layout
        stride = layout.paddedColumns
        source = ByteBuffer(count: rows * encoder.sourceRowLength)
        floats = ByteBuffer(count: rows * stride * 4)
        values = ByteBuffer(count: rows * stride)
        groupCount = layout.groupCount
        gridBuffer = ByteBuffer(count: rows * groupCount * MemoryLayout<GroupGrid>.stride)
        factorBuffer = ByteBuffer(count: rows * MemoryLayout<RowFactors>.stride)
        largestBuffer = ByteBuffer(count: rows * 4)
        let compensation = encoder.quantizer?.compensation
        targetStride = compensation.map { Compensation.stride($0.largestWidth) } ?? 0
        errorStride = compensation?.largestRun ?? 0
        targetBuffer = ByteBuffer(count: rows * targetStride * 4)
        errorBuffer = ByteBuffer(count: rows * errorStride * 4)
        windowBuffer = ByteBuffer(count: (errorStride + 8) * 4)
        differenceBuffer = ByteBuffer(count: encoder.quantizer?.statistics == nil ? 0 : stride * 4)
    }

    /// A row's weights.
    @unsafe func row(_ row: Int) -> UnsafeMutablePointer<Float> { unsafe floats.floats + row &* stride }
    /// A row's integers.
    @unsafe func integers(_ row: Int) -> UnsafeMutablePointer<Int8> { unsafe values.integers + row &* stride }
    /// The grids of a row's groups.
    @unsafe func grids(_ row: Int) -> UnsafeMutablePointer<GroupGrid> {
        unsafe gridBuffer.base.assumingMemoryBound(to: GroupGrid.self) + row &* groupCount
    }
    /// The factors of every asymmetric row.
    @unsafe var factors: UnsafeMutablePointer<RowFactors> {
        unsafe factorBuffer.base.assumingMemoryBound(to: RowFactors.self)
    }
    /// The largest magnitude of every row.
    @unsafe var largestWeights: UnsafeMutablePointer<Float> { unsafe largestBuffer.floats }
    /// What is to be rounded in place of a row's weights, in the order of the block at hand.
    @unsafe func targets(_ row: Int) -> UnsafeMutablePointer<Float> {
        unsafe targetBuffer.floats + row &* targetStride
    }
    /// A row's errors in the run at hand.
    @unsafe func errors(_ row: Int) -> UnsafeMutablePointer<Float> {
        unsafe errorBuffer.floats + row &* errorStride
    }
    /// One group's targets, padded.
    @unsafe var window: UnsafeMutablePointer<Float> { unsafe windowBuffer.floats }
    /// One row's errors.
    @unsafe var differences: UnsafeMutablePointer<Float> { unsafe differenceBuffer.floats }
}
