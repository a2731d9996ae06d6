// SPDX-License-Identifier: Apache-2.0

import TandemFormat

extension PanelQuantizer {
    /// Rounds the rows of a panel run by run, each run's errors moving the targets of the columns after it.
    func round(
        _ rows: Int, with compensation: Compensation, scales: PanelScales, scratch: EncoderScratch,
        error: inout QuantizationError
    ) throws(PanelFault) {
        for block in compensation.blocks {
            for row in 0..<rows {
                let floats = unsafe scratch.row(row)
                let targets = unsafe scratch.targets(row)
                for run in block.runs {
                    unsafe (targets + run.position).update(from: floats + run.column, count: run.count)
                }
            }
            for run in block.runs {
                for row in 0..<rows {
                    do throws(WeightFault) {
                        try round(
                            row, run: run, block: block, scales: scales, scratch: scratch, error: &error)
                    } catch {
                        throw PanelFault(row: row, fault: error.moved(by: run.column))
                    }
                }
                propagate(run, of: block, rows: rows, scratch: scratch)
            }
        }
        for row in 0..<rows {
            error.largestWeight = unsafe max(error.largestWeight, scratch.largestWeights[row])
        }
    }

    /// The grid of a run that is a whole group, found anew for the moved targets.
    private func regrid(
        _ row: Int, run: Compensation.Run, scales: PanelScales, scratch: EncoderScratch
    ) throws(WeightFault) -> GroupGrid {
        let targets = unsafe scratch.targets(row) + run.position
        let window = unsafe scratch.window
        let count = (run.count &+ 7) & ~7
        unsafe window.update(from: targets, count: run.count)
        let last: Float
        if case .int4z = format { last = unsafe window[run.count - 1] } else { last = 0 }
        unsafe (window + run.count).update(repeating: last, count: count &- run.count)
        let group = unsafe GroupWeights(
            weights: window, importance: importance.floats + run.column, count: count)
        if case .int4z = format {
            let factors = unsafe scratch.factors[row]
            let codes = factors.encode(asymmetricGrid(group))
            scales.store(scale: codes.scale, offset: codes.offset, row: row, group: run.group)
            return codes.grid
        }
        let scale = try symmetricScale(group, at: 0)
        scales.store(scale, row: row, group: run.group)
        return GroupGrid(scale: scale.value, offset: 0)
    }

    /// Rounds one row's part of a run; errors inside the run are made up for at once.
    private func round(
        _ row: Int, run: Compensation.Run, block: Compensation.Block, scales: PanelScales,
        scratch: EncoderScratch, error: inout QuantizationError
    ) throws(WeightFault) {
        let grids = unsafe scratch.grids(row)
        if run.count == validColumns(ofGroup: run.group) {
            unsafe grids[run.group] = try regrid(row, run: run, scales: scales, scratch: scratch)
        }
        let grid = unsafe grids[run.group]
        let inverse = grid.scale == 0 ? 0 : 1 / grid.scale
        let range = range
        let rounder: Float = 12_582_912
        let weights = unsafe scratch.row(row) + run.column
        let values = unsafe scratch.integers(row) + run.column
        let targets = unsafe scratch.targets(row)
        let errors = unsafe scratch.errors(row)
        let end = run.position &+ run.count
        var sums = (error: 0.0, weight: 0.0)
        unsafe block.factors.withUnsafeBufferPointer { factors in
            guard let factors = factors.baseAddress else { return }
            for index in 0..<run.count {
                let position = run.position &+ index
                let steps = unsafe (targets[position] - grid.offset) * inverse
                let level = min(max(steps, range.low), range.high) + rounder - rounder
                let weight = unsafe weights[index]
                let difference = weight - (level * grid.scale + grid.offset)
                unsafe values[index] = Int8(truncatingIfNeeded: Int32(level))
                unsafe errors[index] = difference
                sums.error += Double(difference) * Double(difference)
                sums.weight += Double(weight) * Double(weight)
                error.largestError = max(error.largestError, difference.magnitude)
                // Targets up to this one are not read again, so whole vectors may be updated.
                let step = Lanes(repeating: difference)
                let line = unsafe factors + position &* block.stride
                var column = (position &+ 1) & ~7
                while column < end {
                    let moved = unsafe Lanes.load(targets, at: column) + step * Lanes.load(line, at: column)
                    unsafe UnsafeMutableRawPointer(targets + column).storeBytes(of: moved, as: Lanes.self)
                    column &+= 8
                }
            }
        }
        error.squaredError += sums.error
        error.squaredWeight += sums.weight
    }

    /// Adds what a run's errors do to the columns after it.
    private func propagate(
        _ run: Compensation.Run, of block: Compensation.Block, rows: Int, scratch: EncoderScratch
    ) {
        // The last vector of the run was brought up to date inside the run, up to a multiple of 8.
        let start = (run.position &+ run.count &+ 7) & ~7
        unsafe block.factors.withUnsafeBufferPointer { factors in
            guard let factors = factors.baseAddress else { return }
            let lines = unsafe factors + run.position &* block.stride
            var column = start
            while column < block.width {
                for row in 0..<rows {
                    let targets = unsafe scratch.targets(row)
                    let errors = unsafe scratch.errors(row)
                    var first = unsafe Lanes.load(targets, at: column)
                    var second = unsafe Lanes.load(targets, at: column &+ 8)
                    var line = unsafe lines + column
                    for index in 0..<run.count {
                        let step = unsafe Lanes(repeating: errors[index])
                        unsafe first += step * Lanes.load(line, at: 0)
                        unsafe second += step * Lanes.load(line, at: 8)
                        unsafe line += block.stride
                    }
                    unsafe UnsafeMutableRawPointer(targets + column).storeBytes(of: first, as: Lanes.self)
                    unsafe UnsafeMutableRawPointer(targets + column + 8).storeBytes(
                        of: second, as: Lanes.self)
                }
                column &+= 16
            }
        }
    }

    /// Adds e G eᵀ and w G wᵀ of one row, e being its error and G the inputs' second moments.
    func addOutputError(
        _ row: Int, statistics: InputStatistics, scratch: EncoderScratch, to error: inout QuantizationError
    ) {
        let weights = unsafe scratch.row(row)
        let values = unsafe scratch.integers(row)
        let grids = unsafe scratch.grids(row)
        let differences = unsafe scratch.differences
        for column in 0..<layout.columns {
            let grid = unsafe grids[column / layout.groupSize]
            unsafe differences[column] =
                weights[column] - (Float(values[column]) * grid.scale + grid.offset)
        }
        for block in 0..<statistics.blockCount {
            let columns = statistics.columns(ofBlock: block)
            let offset = statistics.offset(ofBlock: block)
            unsafe statistics.moments.withUnsafeBufferPointer { moments in
                guard let moments = moments.baseAddress else { return }
                for (index, column) in columns.enumerated() {
                    let line = unsafe moments + offset + index &* columns.count
                    var sums = (error: Lanes(), power: Lanes())
                    var rest = (error: Float(0), power: Float(0))
                    var other = 0
                    while other < columns.count {
                        let position = columns.lowerBound &+ other
                        if other &+ 8 <= columns.count {
                            let moment = unsafe Lanes.load(line, at: other)
                            unsafe sums.error += moment * Lanes.load(differences, at: position)
                            unsafe sums.power += moment * Lanes.load(weights, at: position)
                            other &+= 8
                        } else {
                            unsafe rest.error += line[other] * differences[position]
                            unsafe rest.power += line[other] * weights[position]
                            other &+= 1
                        }
                    }
                    unsafe error.outputError +=
                        Double(differences[column]) * Double(sums.error.sum() + rest.error)
                    unsafe error.outputPower +=
                        Double(weights[column]) * Double(sums.power.sum() + rest.power)
                }
            }
        }
    }
}
