// SPDX-License-Identifier: Apache-2.0

/// The weights of one row that share a scale, and how much their errors count.
///
/// Both arrays hold `count` elements, a multiple of 8; what stands beyond the matrix's columns has importance 0.
@safe struct GroupWeights {
    @unsafe let weights: UnsafePointer<Float>
    @unsafe let importance: UnsafePointer<Float>
    let count: Int

    @unsafe init(weights: UnsafePointer<Float>, importance: UnsafePointer<Float>, count: Int) {
        unsafe self.weights = weights
        unsafe self.importance = importance
        self.count = count
    }

    /// The largest magnitude.
    /// - Throws: ``WeightFault/nonFinite(column:value:)`` with the column relative to the group.
    @inline(__always)
    func largestMagnitude() throws(WeightFault) -> Float {
        try unsafe TandemPack.largestMagnitude(weights, from: 0, count: count)
    }

    /// The first weight of that magnitude, and where it stands.
    func first(magnitude: Float) -> (column: Int, value: Float) {
        let column = unsafe firstColumn(weights, from: 0, count: count, magnitude: magnitude)
        return (column, unsafe weights[column])
    }

    /// The least and the greatest weight; finite weights only.
    @inline(__always)
    func extremes() -> (low: Float, high: Float) {
        var low = unsafe Lanes.load(weights, at: 0)
        var high = low
        var index = 8
        while index < count {
            let values = unsafe Lanes.load(weights, at: index)
            low = low.replacing(with: values, where: values .< low)
            high = high.larger(values)
            index &+= 8
        }
        return (low.min(), high.max())
    }
}

/// The values a group can take: `scale * q + offset` for the integers of its format.
struct GroupGrid {
    var scale: Float
    var offset: Float

    static let zero = GroupGrid(scale: 0, offset: 0)
}
