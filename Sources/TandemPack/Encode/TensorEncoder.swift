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

/// Reads a matrix panel by panel and puts it into the container's layout.
///
/// Thread safety: blocks may be encoded concurrently, each into its own ``EncodedBlock`` with its own scratch.
struct TensorEncoder: Sendable {
    let source: SourceTensor
    let layout: TensorLayout
    let format: WeightFormat
    /// nil for f32.
    let quantizer: PanelQuantizer?
    let panelsPerBlock: Int

    /// Weights in one block; about a millisecond of work.
    private static let weightsPerBlock = 1 << 17

    /// - Parameters:
    ///   - statistics: what is known of the matrix's inputs.
    ///   - compensations: those made for the matrices before.
    init(
        source: SourceTensor, layout: TensorLayout, treatment: WeightTreatment, statistics: InputStatistics?,
        compensations: inout CompensationCache
    ) {
        self.source = source
        self.layout = layout
        format = treatment.format
        if let quantizer = treatment.quantizer(isCalibrated: statistics != nil) {
            let compensation =
                quantizer == .gptq
                ? statistics.map { compensations.compensation(for: $0, group: layout.groupSize) } : nil
            self.quantizer = PanelQuantizer(
                format: treatment.format, quantizer: quantizer, layout: layout, statistics: statistics,
                compensation: compensation)
        } else {
            quantizer = nil
        }
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
            let scales = unsafe output.scales.base + position * layout.panelScalesLength
            unsafe try encodePanel(
                firstRow: firstRow, rows: rows, isFirst: position == 0, data: data, scales: scales,
                scratch: scratch, error: &error)
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
            unsafe (scratch.row(row) + layout.columns).update(repeating: 0, count: padding)
        }
    }

    /// - Parameter isFirst: whether this is its block's first panel: the sample on which output errors are measured.
    private func encodePanel(
        firstRow: Int, rows: Int, isFirst: Bool, data: UnsafeMutablePointer<UInt8>,
        scales: UnsafeMutableRawPointer, scratch: EncoderScratch, error: inout QuantizationError
    ) throws(PackError) {
        let padded = layout.paddedColumns
        do throws(PanelFault) {
            if let quantizer {
                try quantizer.quantize(
                    rows: rows, scales: unsafe PanelScales(scales, layout: layout), scratch: scratch,
                    measuresOutput: isFirst, error: &error)
            } else {
                for row in 0..<rows { try checkFinite(row, scratch: scratch, error: &error) }
            }
        } catch {
            throw source.located(error.fault, row: firstRow + error.row, format: format)
        }
        switch format {
        case .f32:
            unsafe tk_pack_panel_f32(scratch.floats.floats, padded, rows, layout.columns, panelFloats(data))
        case .int8:
            unsafe tk_pack_panel_i8(scratch.values.integers, padded, rows, layout.columns, padded, data)
        case .int4, .int4z:
            unsafe tk_pack_panel_i4(scratch.values.integers, padded, rows, layout.columns, padded, data)
        }
    }

    private func checkFinite(
        _ row: Int, scratch: EncoderScratch, error: inout QuantizationError
    ) throws(PanelFault) {
        do throws(WeightFault) {
            let magnitude = try unsafe FloatConversion.largestMagnitude(
                scratch.row(row), count: layout.columns)
            error.largestWeight = max(error.largestWeight, magnitude)
        } catch {
            throw PanelFault(row: row, fault: error)
        }
    }

    private func panelFloats(_ data: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<Float> {
        unsafe UnsafeMutableRawPointer(data).assumingMemoryBound(to: Float.self)
    }
}
