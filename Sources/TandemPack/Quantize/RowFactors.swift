// SPDX-License-Identifier: Apache-2.0

/// The two factors of an asymmetric row, and the codes of its groups: scale = s · D with s in 0 … 255,
/// offset = o · M with o in -128 … 127 (`Formats/tandem-file.md`, "n16k4.i4z").
struct RowFactors {
    /// D and M.
    let scale: Float
    let offset: Float

    /// Factors with which the largest scale and offset of a row become `margin` less than the largest codes.
    init(largestScale: Float, largestOffset: Float, margin: Float = 1) {
        scale = largestScale / 255 * margin
        offset = largestOffset / 127 * margin
    }

    /// The codes nearest to a grid, and the grid they stand for.
    @inline(__always)
    func encode(_ grid: GroupGrid) -> (scale: UInt8, offset: Int8, grid: GroupGrid) {
        let s = RowFactors.code(grid.scale, unit: scale, from: 0, to: 255)
        let o = RowFactors.code(grid.offset, unit: offset, from: -128, to: 127)
        return (UInt8(s), Int8(o), GroupGrid(scale: s * scale, offset: o * offset))
    }

    @inline(__always)
    private static func code(_ value: Float, unit: Float, from low: Float, to high: Float) -> Float {
        guard unit > 0 else { return 0 }
        return min(max((value / unit).rounded(.toNearestOrEven), low), high)
    }
}
