// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Quantises the rows of one matrix, panel by panel.
///
/// Rows do not depend on each other, so panels may be quantised concurrently, each with its own scratch.
struct PanelQuantizer: Sendable {
    let format: WeightFormat
    /// What finds the grids; for ``Quantizer/gptq`` the integers come from the compensation.
    let quantizer: Quantizer
    let layout: TensorLayout
    /// How much the error of each padded column counts: 1 on average, 0 beyond the matrix's columns.
    let importance: ByteBuffer
    let statistics: InputStatistics?
    let compensation: Compensation?

    init(
        format: WeightFormat, quantizer: Quantizer, layout: TensorLayout, statistics: InputStatistics?,
        compensation: Compensation?
    ) {
        self.format = format
        self.quantizer = quantizer
        self.layout = layout
        self.statistics = statistics
        self.compensation = compensation
        importance = PanelQuantizer.importance(layout: layout, statistics: statistics)
    }

    /// Second moments over their mean. No column counts for nothing, whatever the text: the floor is a thousandth.
    private static func importance(layout: TensorLayout, statistics: InputStatistics?) -> ByteBuffer {
        let buffer = ByteBuffer(count: layout.paddedColumns * 4)
        var mean = 0.0
        if let statistics {
            for column in 0..<layout.columns { mean += Double(statistics.moment(column: column)) }
            mean /= Double(layout.columns)
        }
        for column in 0..<layout.columns {
            let moment = statistics.map { Double($0.moment(column: column)) } ?? 0
            unsafe buffer.floats[column] = mean > 0 ? Float(moment / mean + 1e-3) : 1
        }
        return buffer
    }

    /// Integers of the format.
    var range: (low: Float, high: Float) {
        if case .int8 = format { SymmetricSearch.int8 } else { SymmetricSearch.int4 }
    }

    /// The columns of a group that the matrix has.
    @inline(__always)
    func validColumns(ofGroup group: Int) -> Int {
        min(layout.groupSize, layout.columns &- group &* layout.groupSize)
    }

    /// Quantises `rows` rows of `scratch.floats` into `scratch.values`, `scratch.grids` and `scales`.
    ///
    /// - Parameter measuresOutput: whether the error of the outputs is computed too, where the inputs are known.
    func quantize(
        rows: Int, scales: PanelScales, scratch: EncoderScratch, measuresOutput: Bool,
        error: inout QuantizationError
    ) throws(PanelFault) {
        for row in 0..<rows {
            do throws(WeightFault) {
                if compensation != nil {
                    try prepare(row, scales: scales, scratch: scratch)
                } else {
                    try quantize(row, scales: scales, scratch: scratch, error: &error)
                }
            } catch {
                throw PanelFault(row: row, fault: error)
            }
        }
        if let compensation {
            try round(rows, with: compensation, scales: scales, scratch: scratch, error: &error)
        }
        guard measuresOutput, let statistics else { return }
        for row in 0..<rows { addOutputError(row, statistics: statistics, scratch: scratch, to: &error) }
    }

    // MARK: Rounding to nearest

    private func quantize(
        _ row: Int, scales: PanelScales, scratch: EncoderScratch, error: inout QuantizationError
    ) throws(WeightFault) {
        if case .int4z = format {
            try searchGrids(row, scales: scales, scratch: scratch, margin: 1)
        }
        let floats = unsafe UnsafePointer(scratch.row(row))
        let grids = unsafe scratch.grids(row)
        for group in 0..<layout.groupCount {
            let start = group &* layout.groupSize
            switch format {
            case .f32, .int4z: break
            case .int8, .int4:
                let scale = try unsafe symmetricScale(
                    weights(floats, from: start, scratch: scratch), at: start)
                scales.store(scale, row: row, group: group)
                unsafe grids[group] = GroupGrid(scale: scale.value, offset: 0)
            }
            unsafe storeQuantized(
                floats, from: start, count: layout.groupSize, valid: validColumns(ofGroup: group),
                grid: grids[group], range: range, into: scratch.integers(row), error: &error)
        }
        let magnitude = try unsafe TandemPack.largestMagnitude(floats, from: 0, count: layout.paddedColumns)
        error.largestWeight = max(error.largestWeight, magnitude)
    }

    @unsafe private func weights(
        _ floats: UnsafePointer<Float>, from start: Int, scratch: EncoderScratch
    ) -> GroupWeights {
        unsafe GroupWeights(
            weights: floats + start, importance: importance.floats + start, count: layout.groupSize)
    }

    /// The scale of a symmetric group whose first column is `start`.
    @inline(__always)
    func symmetricScale(_ group: GroupWeights, at start: Int) throws(WeightFault) -> GroupScale {
        do throws(WeightFault) {
            if case .int8 = format { return try SymmetricSearch.covering8(group) }
            if quantizer == .rtn { return try SymmetricSearch.covering4(group) }
            return try SymmetricSearch.best4(group)
        } catch {
            throw error.moved(by: start)
        }
    }

    /// The grid of an asymmetric group, before its scale and offset become codes.
    @inline(__always)
    func asymmetricGrid(_ group: GroupWeights) -> GroupGrid {
        switch quantizer {
        case .rtn: AsymmetricSearch.spanning(group)
        case .hqq: AsymmetricSearch.halfQuadratic(group)
        case .mse, .gptq: AsymmetricSearch.leastSquares(group)
        }
    }

    /// Finds the grids of all groups of an asymmetric row, then the row's factors and the codes.
    private func searchGrids(
        _ row: Int, scales: PanelScales, scratch: EncoderScratch, margin: Float
    ) throws(WeightFault) {
        let floats = unsafe scratch.row(row)
        let grids = unsafe scratch.grids(row)
        let magnitude = try unsafe TandemPack.largestMagnitude(floats, from: 0, count: layout.paddedColumns)
        guard magnitude <= WeightFormat.largestAsymmetricMagnitude else {
            let column = unsafe firstColumn(floats, from: 0, count: layout.columns, magnitude: magnitude)
            throw unsafe .tooLarge(column: column, value: floats[column])
        }
        unsafe fillPadding(of: floats)
        var largest = GroupGrid.zero
        for group in 0..<layout.groupCount {
            let start = group &* layout.groupSize
            var grid = GroupGrid.zero
            if validColumns(ofGroup: group) > 0 {
                grid = unsafe asymmetricGrid(weights(floats, from: start, scratch: scratch))
            }
            unsafe grids[group] = grid
            largest.scale = max(largest.scale, grid.scale)
            largest.offset = max(largest.offset, grid.offset.magnitude)
        }
        let factors = RowFactors(
            largestScale: largest.scale, largestOffset: largest.offset, margin: margin)
        unsafe scratch.factors[row] = factors
        scales.store(factors, row: row)
        for group in 0..<layout.groupCount {
            let codes = unsafe factors.encode(grids[group])
            scales.store(scale: codes.scale, offset: codes.offset, row: row, group: group)
            unsafe grids[group] = codes.grid
        }
    }

    /// Repeats the last weight to the end of its group, so that zeros that are no weights do not stretch the grid.
    @unsafe private func fillPadding(of floats: UnsafeMutablePointer<Float>) {
        let rest = layout.columns % layout.groupSize
        guard rest > 0 else { return }
        unsafe (floats + layout.columns).update(
            repeating: floats[layout.columns - 1], count: layout.groupSize - rest)
    }

    // MARK: Preparing compensated rounding

    /// What must be known of a row before its errors are compensated: its factors and, where groups are cut by the
    /// blocks of the compensation, its grids.
    private func prepare(
        _ row: Int, scales: PanelScales, scratch: EncoderScratch
    ) throws(WeightFault) {
        let floats = unsafe UnsafePointer(scratch.row(row))
        let magnitude = try unsafe TandemPack.largestMagnitude(floats, from: 0, count: layout.paddedColumns)
        unsafe scratch.largestWeights[row] = magnitude
        if case .int4z = format {
            // Room for the grids that the errors of earlier columns will move.
            try searchGrids(row, scales: scales, scratch: scratch, margin: 1.1)
            return
        }
        for group in 0..<layout.groupCount {
            let start = group &* layout.groupSize
            let scale = try unsafe symmetricScale(weights(floats, from: start, scratch: scratch), at: start)
            scales.store(scale, row: row, group: group)
            unsafe scratch.grids(row)[group] = GroupGrid(scale: scale.value, offset: 0)
        }
    }
}
