// SPDX-License-Identifier: Apache-2.0

/// Scales and offsets of asymmetric 4-bit groups: values `scale * q + offset`, q in -8 … 7.
enum AsymmetricSearch {
    static let low: Float = -8
    static let high: Float = 7

    /// Widths of the grid to try, as shares of the spread of the weights. The error has many valleys: a finer search
    /// finds deeper ones.
    private static let spreads: [Float] = [
        1, 0.96, 0.92, 0.88, 0.84, 0.8, 0.76, 0.72, 0.68, 0.64, 0.6, 0.56, 0.52, 1.04, 1.08,
    ]
    private static let refinements = 3

    /// The grid whose ends are the extremes of the group.
    @inline(__always)
    static func spanning(_ group: GroupWeights) -> GroupGrid {
        let (low, high) = group.extremes()
        return grid(centre: low / 2 + high / 2, halfWidth: high / 2 - low / 2)
    }

    @inline(__always)
    private static func grid(centre: Float, halfWidth: Float) -> GroupGrid {
        // The middle of -8 … 7 is -0.5.
        let scale = halfWidth * (2 / 15)
        return GroupGrid(scale: scale, offset: centre + scale / 2)
    }

    /// The grid with the least weighted squared error found: grids of several widths around the centre, each
    /// refined by least squares for the integers it gives.
    static func leastSquares(_ group: GroupWeights) -> GroupGrid {
        let (low, high) = group.extremes()
        let centre = low / 2 + high / 2
        let halfWidth = high / 2 - low / 2
        guard halfWidth > 0 else { return GroupGrid(scale: 0, offset: low) }
        var best = GroupGrid.zero
        var least = Float.infinity
        for spread in spreads {
            var candidate = grid(centre: centre, halfWidth: halfWidth * spread)
            for round in 0...refinements {
                guard candidate.scale > 0, candidate.scale.isFinite, candidate.offset.isFinite else { break }
                let trial = evaluate(group, candidate, centre: centre)
                if trial.squaredError < least { (best, least) = (candidate, trial.squaredError) }
                if round < refinements { candidate = trial.refined }
            }
        }
        return least.isFinite ? best : grid(centre: centre, halfWidth: halfWidth)
    }

    private struct Trial {
        let squaredError: Float
        /// The least-squares grid for the same integers.
        let refined: GroupGrid
    }

    /// Weights are taken relative to `centre`, which keeps the sums of the least-squares step accurate.
    @inline(__always)
    private static func evaluate(_ group: GroupWeights, _ grid: GroupGrid, centre: Float) -> Trial {
        let inverse = Lanes(repeating: 1 / grid.scale)
        let factor = Lanes(repeating: grid.scale)
        let offset = Lanes(repeating: grid.offset - centre)
        let middle = Lanes(repeating: centre)
        var squaredError = Lanes()
        var sums = (weight: Lanes(), first: Lanes(), second: Lanes(), value: Lanes(), product: Lanes())
        var index = 0
        while index < group.count {
            let weights = unsafe Lanes.load(group.weights, at: index) - middle
            let importance = unsafe Lanes.load(group.importance, at: index)
            let quantized = ((weights - offset) * inverse).rounded(from: low, to: high).floats
            let difference = weights - (quantized * factor + offset)
            let scaled = importance * quantized
            squaredError += importance * difference * difference
            sums.weight += importance
            sums.first += scaled
            sums.second += scaled * quantized
            sums.value += importance * weights
            sums.product += scaled * weights
            index &+= 8
        }
        let (weight, first, second) = (sums.weight.sum(), sums.first.sum(), sums.second.sum())
        let (value, product) = (sums.value.sum(), sums.product.sum())
        let determinant = weight * second - first * first
        guard determinant > 1e-6 * weight * second else {
            return Trial(squaredError: squaredError.sum(), refined: grid)
        }
        return Trial(
            squaredError: squaredError.sum(),
            refined: GroupGrid(
                scale: (weight * product - first * value) / determinant,
                offset: (second * value - first * product) / determinant + centre))
    }

    // MARK: Half-quadratic

    private static let iterations = 20
    /// How hard the shrinkage pulls errors to zero, and its growth for each iteration.
    private static let strength: Float = 10
    private static let growth: Float = 1.01

    /// Half-quadratic quantisation: the scale spans the extremes; the offset alternates between the shrunk error
    /// (the proximal step of an Lp norm, p = 3/4) and the mean that makes up for it. Errors are taken in steps.
    static func halfQuadratic(_ group: GroupWeights) -> GroupGrid {
        let start = spanning(group)
        guard start.scale > 0, start.scale.isFinite else { return leastSquares(group) }
        let inverse = Lanes(repeating: 1 / start.scale)
        var zero = -start.offset / start.scale
        var strength = AsymmetricSearch.strength
        var best = zero
        var least = Float.infinity
        for _ in 0..<iterations {
            let zeros = Lanes(repeating: zero)
            let pull = Lanes(repeating: 1 / strength)
            var norm = Lanes()
            var correction = Lanes()
            var valid = Lanes()
            var index = 0
            while index < group.count {
                let steps = unsafe Lanes.load(group.weights, at: index) * inverse
                let counts = unsafe Lanes(repeating: 1).replacing(
                    with: 0, where: Lanes.load(group.importance, at: index) .== 0)
                let quantized = (steps + zeros).rounded(from: low, to: high).floats
                let error = steps - (quantized - zeros)
                let magnitude = error.magnitudes.larger(Lanes(repeating: 1e-8))
                let root = magnitude.squareRoot()
                norm += counts * root * root.squareRoot()
                // |e|^(p - 1) = |e|^(-1/4)
                let shrunk = (magnitude - pull / root.squareRoot()).larger(Lanes())
                let signed = shrunk.replacing(with: -shrunk, where: error .< 0)
                correction += counts * (quantized - (steps - signed))
                valid += counts
                index &+= 8
            }
            let total = norm.sum()
            if total < least { (best, least) = (zero, total) }
            zero = correction.sum() / max(1, valid.sum())
            strength *= growth
        }
        return GroupGrid(scale: start.scale, offset: -best * start.scale)
    }
}
