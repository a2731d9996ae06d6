// SPDX-License-Identifier: Apache-2.0

import CTandemKernels
import TandemFormat

/// One block of a matrix, encoded: whole panels and their scales.
final class EncodedBlock: Sendable {
    let data: ByteBuffer
    let scales: ByteBuffer

    init(encoder: TensorEncoder) {
        data = ByteBuffer(count: encoder.panelsPerBlock * encoder.layout.panelDataLength)
        scales = ByteBuffer(count: encoder.panelsPerBlock * encoder.layout.panelScalesLength)
    }
}

/// What one thread needs while it encodes.
final class EncoderScratch: Sendable {
    let source: ByteBuffer
    let floats: ByteBuffer
    let values: ByteBuffer

    init(encoder: TensorEncoder) {
        let rows = TensorLayout.panelRows
        source = ByteBuffer(count: rows * encoder.sourceRowLength)
        floats = ByteBuffer(count: rows * encoder.layout.paddedColumns * 4)
        values = ByteBuffer(count: rows * encoder.layout.paddedColumns)
    }
}

/// Reads a matrix panel by panel and puts it into the container's layout.
///
/// Thread safety: blocks may be encoded concurrently, each into its own ``EncodedBlock`` with its own scratch.
struct TensorEncoder: Sendable {
    let source: SourceTensor
    let layout: TensorLayout
    let format: WeightFormat
    let panelsPerBlock: Int

    /// Weights in one block; about a millisecond of work.
    private static let weightsPerBlock = 1 << 17

    init(source: SourceTensor, layout: TensorLayout, format: WeightFormat) {
        self.source = source
        self.layout = layout
        self.format = format
        let panelWeights = TensorLayout.panelRows * layout.paddedColumns
        panelsPerBlock = min(layout.panelCount, max(1, TensorEncoder.weightsPerBlock / panelWeights))
    }

    var blockCount: Int { (layout.panelCount + panelsPerBlock - 1) / panelsPerBlock }
    var sourceRowLength: Int { source.rowLength }

    func panels(ofBlock block: Int) -> Range<Int> {
        block * panelsPerBlock..<min((block + 1) * panelsPerBlock, layout.panelCount)
    }

    func encode(
        block: Int, into output: EncodedBlock, scratch: EncoderScratch
    ) throws(PackError) -> QuantizationError {
        var error = QuantizationError()
        let panels = panels(ofBlock: block)
        for panel in panels {
            let firstRow = panel * TensorLayout.panelRows
            let rows = min(TensorLayout.panelRows, layout.rows - firstRow)
            try readRows(firstRow..<firstRow + rows, scratch: scratch)
            let position = panel - panels.lowerBound
            let data = unsafe output.data.bytes + position * layout.panelDataLength
            let scales = unsafe output.scales.halves + position * layout.panelScalesLength / 2
            unsafe try encodePanel(
                firstRow: firstRow, rows: rows, data: data, scales: scales, scratch: scratch, error: &error)
        }
        return error
    }

    /// Rows as floats, each padded with zeros to `paddedColumns`.
    private func readRows(_ rows: Range<Int>, scratch: EncoderScratch) throws(PackError) {
        try unsafe source.read(
            rows: rows, scratch: scratch.source.base, into: scratch.floats.floats,
            stride: layout.paddedColumns)
        let padding = layout.paddedColumns - layout.columns
        for row in 0..<rows.count {
            let floats = unsafe scratch.floats.floats + row * layout.paddedColumns
            unsafe (floats + layout.columns).update(repeating: 0, count: padding)
        }
    }

    private func encodePanel(
        firstRow: Int, rows: Int, data: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<UInt16>,
        scratch: EncoderScratch, error: inout QuantizationError
    ) throws(PackError) {
        let padded = layout.paddedColumns
        unsafe scales.update(repeating: 0, count: layout.panelScalesLength / 2)
        for row in 0..<rows {
            let floats = unsafe UnsafePointer(scratch.floats.floats + row * padded)
            let values = unsafe scratch.values.integers + row * padded
            do throws(WeightFault) {
                switch format {
                case .f32:
                    let magnitude = try unsafe FloatConversion.largestMagnitude(floats, count: layout.columns)
                    error.largestWeight = max(error.largestWeight, magnitude)
                case .int8:
                    try unsafe QuantizeInt8.quantize(
                        row: floats, count: padded, group: layout.groupSize, into: values,
                        scales: scales + row,
                        stride: TensorLayout.panelRows, error: &error)
                case .int4:
                    try unsafe QuantizeInt4.quantize(
                        row: floats, count: padded, group: layout.groupSize, into: values,
                        scales: scales + row,
                        stride: TensorLayout.panelRows, error: &error)
                }
            } catch {
                throw source.located(error, row: firstRow + row, format: format)
            }
        }
        switch format {
        case .f32:
            unsafe tk_pack_panel_f32(scratch.floats.floats, padded, rows, layout.columns, panelFloats(data))
        case .int8:
            unsafe tk_pack_panel_i8(scratch.values.integers, padded, rows, layout.columns, padded, data)
        case .int4:
            unsafe tk_pack_panel_i4(scratch.values.integers, padded, rows, layout.columns, padded, data)
        }
    }

    private func panelFloats(_ data: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<Float> {
        unsafe UnsafeMutableRawPointer(data).assumingMemoryBound(to: Float.self)
    }
}
