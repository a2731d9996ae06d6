// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
internal import TandemFormat

/// A weight matrix [rows, columns] in panel layout: in the mapped file, in memory, or streamed unit by unit.
///
/// Thread safety: an immutable view; `TransformerWeights` keeps the bytes alive.
@safe
struct Matrix: @unchecked Sendable {
    let encoding: TensorEncoding
    /// Outputs (N).
    let rows: Int
    /// Inputs (K).
    let columns: Int
    /// K with the layout's padding.
    let paddedColumns: Int
    /// Elements of K that share one weight scale; 0 for float weights.
    let weightGroup: Int
    /// Elements of K that share one activation scale; 0 for float weights.
    let activationGroup: Int
    let panelCount: Int
    private(set) var data: UnsafeRawPointer
    /// The scales' region, as the encoding lays it out; nil for float weights.
    private(set) var scales: UnsafeRawPointer?
    /// Bytes of scales in one panel of 16 outputs.
    private let panelScaleBytes: Int
    /// Units of the weight stream that hold the matrix; empty where `data` points to all of it.
    let units: Range<Int>

    /// A matrix whose elements and scales begin at `data` and `scales`; float weights have no scales.
    init(
        _ tensor: TensorDescriptor, data: UnsafeRawPointer, scales: UnsafeRawPointer?,
        units: Range<Int> = 0..<0
    ) {
        let isQuantized = tensor.encoding.isQuantized
        encoding = tensor.encoding
        rows = tensor.rows
        columns = tensor.columns
        paddedColumns = tensor.paddedColumns
        weightGroup = isQuantized ? tensor.groupSize : 0
        activationGroup = isQuantized ? tensor.activationGroup : 0
        panelCount = tensor.panelCount
        unsafe self.data = data
        unsafe self.scales = isQuantized ? scales : nil
        panelScaleBytes = tensor.layout.panelScalesLength
        self.units = units
    }

    /// The matrix with the panels of one unit in place; only those may be used.
    func bound(to part: StreamedPanels) -> Matrix {
        let first = part.panels.lowerBound
        var copy = self
        unsafe copy.data = part.data - first &* panelBytes
        unsafe copy.scales = part.scales.map { unsafe $0 - first &* panelScaleBytes }
        return copy
    }

    /// Bytes of weights in one panel of 16 outputs.
    var panelBytes: Int {
        switch encoding {
        case .panelI8: paddedColumns &* 16
        case .panelI4, .panelI4Z: paddedColumns &* 8
        default: paddedColumns &* 64
        }
    }

    /// Whether the kernels want quantised activations.
    var isQuantized: Bool { encoding.isQuantized }

    /// Reads row `row` as floats, as an embedding look-up does.
    func gatherRow(_ row: Int, into output: UnsafeMutablePointer<Float>) {
        let halves = unsafe scales?.assumingMemoryBound(to: UInt16.self)
        switch encoding {
        case .panelI8:
            unsafe tk_gather_i8(data, halves, paddedColumns, weightGroup, row, columns, output)
        case .panelI4:
            unsafe tk_gather_i4(data, halves, paddedColumns, weightGroup, row, columns, output)
        case .panelI4Z:
            unsafe tk_gather_i4z(data, scales, paddedColumns, weightGroup, row, columns, output)
        case .panelF32, .f32:
            unsafe tk_gather_f32(
                data.assumingMemoryBound(to: Float.self), paddedColumns, row, columns, output)
        }
    }
}
